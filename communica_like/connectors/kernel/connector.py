"""KernelConnector: how clients find a server by its queue. RendezvousListener: a server that is found."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from ...abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener, PeerIdentity
from ...exceptions import AddressInUse, CommunicaError, LinkError, LinkRefused, QueueLimitReached
from ...features import optional_package
from ...system import AddressLock, ProcessId, Registration, reap, reap_in_passing, register, register_reused
from ..url import join_url, split_url
from .rendezvous import ConnectRequest, Pair, StartedLink

if TYPE_CHECKING:
    from ...queues import PipeQueue, PosixMQ, SysVMQ

    NamedQueue = PosixMQ | SysVMQ | PipeQueue

logger = logging.getLogger("communica_like")

_SERVER_INTERVAL: Final = 0.2  # seconds between checks that the server of a full queue lives
_PAIR_ATTEMPTS: Final = 5  # to make a pair, where the kernel sets limits to all clients together
_PAIR_DELAY: Final = 0.02  # seconds between them
_REMOVAL_ATTEMPTS: Final = 20  # to remove what a killed server left
_REMOVAL_DELAY: Final = 0.01  # seconds between them
_RETRY_DELAY: Final = 1.0  # seconds after the rendezvous queue failed
_CHECK_INTERVAL: Final = 1.0  # seconds between checks that clients can find the server


class KernelConnector(Connector):
    """A connector of a medium whose objects have names and no connections.

    A subclass is a dataclass whose first field is the name or key of the rendezvous queue.
    """

    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(verifies_user=True)
    _kind: ClassVar[str]
    """The kind of the queue, for ``system.register``."""
    _pair: ClassVar[type[Pair]]
    _link: ClassVar[type[StartedLink]]
    _package: ClassVar[tuple[str, str]]
    """The arguments of ``optional_package``."""

    @property
    @abstractmethod
    def _name(self) -> str:
        """The name of the rendezvous queue, as text."""

    def _require_medium(self) -> None:
        """Raise FeatureNotAvailable if the system lacks the medium, or the package for it."""
        optional_package(*self._package)

    @abstractmethod
    def _queue(self, create: bool) -> NamedQueue:
        """Create the rendezvous queue, or open that of a server.

        Raises:
            FileExistsError: there is something of that name already.
            FileNotFoundError: there is nothing to open.
        """

    def _exists(self) -> bool:
        """Return whether something has the name of the queue, even if it cannot be opened."""
        try:
            self._queue(create=False).close()
        except FileNotFoundError:
            return False
        except QueueLimitReached:
            raise
        except OSError:
            pass
        return True

    def dump_state(self) -> str:
        return join_url(self.scheme, self._name, safe="/")

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        return cls(split_url(text, cls.scheme), **secrets)  # type: ignore[call-arg]  # of the subclass

    # -- the client's side

    async def connect(self, receiver: LinkReceiver) -> Link:
        self._require_medium()
        address = self.dump_state()
        try:
            reap_in_passing()
            server = AddressLock.owner(address)
            if server is None:
                raise LinkRefused(f"no server listens at {address}")
            pair = await self._make_pair()
            try:
                await self._send_request(server, pair.endpoints)
                link = self._open_link(server, pair)
            except BaseException:
                pair.remove()
                raise
        except CommunicaError:
            raise
        except OSError as exc:
            raise LinkError(f"cannot connect to {address}: {exc}") from exc
        link.receiver = receiver
        link.start()
        return link

    def _open_link(self, process: ProcessId, pair: Pair) -> StartedLink:
        peer = PeerIdentity(self.scheme, self._name, process.pid, process.uid)
        return self._link(peer, process, pair)

    async def _make_pair(self) -> Pair:
        # Other clients that connect at the same time take some room only for a moment.
        for _ in range(_PAIR_ATTEMPTS - 1):
            try:
                return self._pair.make()
            except QueueLimitReached:
                await asyncio.sleep(_PAIR_DELAY)
        return self._pair.make()

    async def _send_request(self, server: ProcessId, endpoints: tuple[str, ...]) -> None:
        """Send a connect request, after waiting for room. If this is cancelled, it was not sent."""
        address = self.dump_state()
        data = ConnectRequest(ProcessId.own(), endpoints).encode()
        with contextlib.suppress(FileNotFoundError):
            async with self._queue(create=False) as requests:
                sent = False
                while not sent and AddressLock.owner(address) == server:
                    with contextlib.suppress(queue.Full):
                        await requests.put(data, timeout=_SERVER_INTERVAL)
                        sent = True
            if sent and AddressLock.owner(address) == server:
                return
        raise LinkRefused(f"the server of {address} has just ended")

    # -- the server's side

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        self._require_medium()
        address = self.dump_state()
        try:
            with contextlib.ExitStack() as undo:
                lock = AddressLock(address)
                undo.callback(lock.release)
                await self._remove_leftovers()
                registration = register_reused(self._kind, self._name)
                undo.callback(registration.remove)
                requests = self._queue(create=True)
                undo.callback(requests.close)
                undo.callback(_unlink, requests)
                lock.announce()
                undo.pop_all()
        except FileExistsError as exc:
            text = f"{self._name} exists, but no server of {address} made it: remove it"
            raise AddressInUse(text) from exc
        except CommunicaError:
            raise
        except OSError as exc:
            raise LinkError(f"cannot serve {address}: {exc}") from exc
        return RendezvousListener(self, accept, lock, registration, requests)

    async def _remove_leftovers(self) -> None:
        """Remove what the previous server left; raise FileExistsError if no server did."""
        for _ in range(_REMOVAL_ATTEMPTS):
            reap()
            if not self._exists():
                return
            # A killed process loses its locks some moments before it counts as dead.
            await asyncio.sleep(_REMOVAL_DELAY)
        raise FileExistsError(self._name)


def _unlink(requests: NamedQueue) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        requests.unlink()


class RendezvousListener(Listener):
    """A served address, and the task that takes connect requests.

    Args:
        connector, accept: as for Connector.listen.
        lock, registration, requests: of the address; they belong to the listener from now on.
    """

    def __init__(
        self, connector: KernelConnector, accept: Callable[[Link], LinkReceiver],
        lock: AddressLock, registration: Registration, requests: NamedQueue,
    ) -> None:
        self.address = connector.dump_state()
        self._connector = connector
        self._accept = accept
        self._lock = lock
        self._registration = registration
        self._requests = requests
        self._closed = False
        name = f"communica_like listener {self.address}"
        self._task = asyncio.get_running_loop().create_task(self._take_requests(), name=name)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._task.cancel()
        try:
            await asyncio.wait([self._task])
        finally:
            self._release()

    def _release(self) -> None:
        self._lock.release()
        # Clients whose requests are here learn of the end from their links; later ones see the lock released.
        with contextlib.suppress(queue.Empty, CommunicaError, OSError):
            for _ in range(self._requests.qsize()):
                self._answer(self._requests.get_nowait())
        try:
            with contextlib.closing(self._requests):
                _unlink(self._requests)
        except OSError as exc:
            logger.error("cannot remove the rendezvous of %s until this process ends: %s", self.address, exc)
        else:
            self._registration.remove()

    async def _take_requests(self) -> None:
        while True:
            try:
                with contextlib.suppress(queue.Empty):
                    self._answer(await self._requests.get(timeout=_CHECK_INTERVAL))
                if not self._lock.kept:
                    self._lock.renew()
                    self._registration = register(self._connector._kind, self._connector._name)
                    logger.warning("the lock file of %s was removed; wrote it again", self.address)
                await asyncio.sleep(0)  # a flood of requests must not hold up the event loop
            except Exception as exc:
                logger.error("the rendezvous of %s failed: %s", self.address, exc or repr(exc))
                await asyncio.sleep(_RETRY_DELAY)
                self._create_again()

    def _create_again(self) -> None:
        """Create the rendezvous queue again, if it was removed."""
        with contextlib.suppress(OSError, CommunicaError):  # it is still there, or cannot be made for now
            requests = self._connector._queue(create=True)
            self._requests.close()
            self._requests = requests

    def _answer(self, data: bytes) -> None:
        """Open the link that a connect request asks for, unless the client's process has ended."""
        try:
            request = ConnectRequest.decode(data)
            if not request.process.alive:
                reap_in_passing()
                return
            pair = self._connector._pair.of_client(*request.endpoints)
            try:
                link = self._connector._open_link(request.process, pair)
            except BaseException:
                pair.remove()
                raise
        except ValueError as exc:
            logger.warning("ignored something in the rendezvous of %s: %s", self.address, exc)
        except OSError as exc:
            logger.info("could not open the link of a client of %s: %s", self.address, exc)
        else:
            link.receiver = self._accept(link)
            link.start()
