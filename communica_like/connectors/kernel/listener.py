"""A server's side of the rendezvous: it takes connect requests and opens links."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...abc import Link, LinkReceiver, Listener
from ...exceptions import AddressInUse, CommunicaError, LinkError
from ...system import AddressLock, Registration, reap, reap_in_passing, register, register_reused
from .rendezvous import ConnectRequest, Rendezvous, StartedLink

if TYPE_CHECKING:
    from .rendezvous import NamedQueue

logger = logging.getLogger("communica_like")

_RETRY_DELAY: Final = 1.0  # seconds after the rendezvous queue failed
_CHECK_INTERVAL: Final = 1.0  # seconds between checks that clients can find the server
_POLL_INTERVAL: Final = 0.01  # seconds between attempts to remove what a killed server left
_ATTEMPTS: Final = 20


async def listen_at_rendezvous(rendezvous: Rendezvous, accept: Callable[[Link], LinkReceiver]) -> Listener:
    """Serve an address, as Connector.listen does.

    Raises:
        AddressInUse: a live server serves it, or something else has the name of the rendezvous queue.
        QueueLimitReached: the kernel has no room for the queue.
        LinkError: any other failure.
    """
    try:
        with contextlib.ExitStack() as undo:
            lock = AddressLock(rendezvous.address)
            undo.callback(lock.release)
            await _remove_leftovers(rendezvous)
            registration = register_reused(rendezvous.kind, rendezvous.name)
            undo.callback(registration.remove)
            requests = rendezvous.create()
            undo.callback(requests.close)
            undo.callback(_unlink, requests)
            lock.announce()
            undo.pop_all()
    except FileExistsError as exc:
        text = f"{rendezvous.name} exists, but no server of {rendezvous.address} made it: remove it"
        raise AddressInUse(text) from exc
    except OSError as exc:
        if isinstance(exc, CommunicaError):
            raise
        raise LinkError(f"cannot serve {rendezvous.address}: {exc}") from exc
    return RendezvousListener(rendezvous, accept, lock, registration, requests)


async def _remove_leftovers(rendezvous: Rendezvous) -> None:
    """Remove what the previous server left; raise FileExistsError if no server did."""
    for _ in range(_ATTEMPTS):
        reap()
        if not rendezvous.exists():
            return
        # A killed process loses its locks some moments before it counts as dead.
        await asyncio.sleep(_POLL_INTERVAL)
    raise FileExistsError(rendezvous.name)


def _unlink(requests: NamedQueue) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        requests.unlink()


class RendezvousListener(Listener):
    """A served address, and the task that takes connect requests.

    Args:
        rendezvous: the address.
        accept: as for Connector.listen.
        lock, registration, requests: of the address; they belong to the listener from now on.
    """

    def __init__(
        self,
        rendezvous: Rendezvous,
        accept: Callable[[Link], LinkReceiver],
        lock: AddressLock,
        registration: Registration,
        requests: NamedQueue,
    ) -> None:
        self.address = rendezvous.address
        self._rendezvous = rendezvous
        self._accept = accept
        self._lock = lock
        self._registration = registration
        self._requests = requests
        self._closed = False
        self._task = asyncio.get_running_loop().create_task(
            self._take_requests(), name=f"communica_like listener {rendezvous.address}"
        )

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
                self._open_link(self._requests.get_nowait())
        try:
            try:
                _unlink(self._requests)
            finally:
                self._requests.close()
        except OSError as exc:
            logger.error("cannot remove the rendezvous of %s until this process ends: %s", self.address, exc)
        else:
            self._registration.remove()

    async def _take_requests(self) -> None:
        while True:
            try:
                with contextlib.suppress(queue.Empty):
                    self._open_link(await self._requests.get(timeout=_CHECK_INTERVAL))
                if not self._lock.kept:
                    self._announce_again()
                await asyncio.sleep(0)  # a flood of requests must not hold up the event loop
            except Exception as exc:
                logger.error("the rendezvous of %s failed: %s", self.address, exc or repr(exc))
                await asyncio.sleep(_RETRY_DELAY)
                self._create_again()

    def _announce_again(self) -> None:
        """Write the lock and the registration again, after their directory was removed."""
        self._lock.renew()
        self._registration = register(self._rendezvous.kind, self._rendezvous.name)
        logger.warning("the lock file of %s was removed; wrote it again", self.address)

    def _create_again(self) -> None:
        """Create the rendezvous queue again, if it was removed."""
        try:
            requests = self._rendezvous.create()
        except (OSError, CommunicaError):
            return  # it is still there, or cannot be made for now
        self._requests.close()
        self._requests = requests

    def _open_link(self, data: bytes) -> None:
        try:
            link = self._answer(ConnectRequest.decode(data))
        except ValueError as exc:
            logger.warning("ignored something in the rendezvous of %s: %s", self.address, exc)
        except (OSError, LinkError) as exc:
            logger.info("could not open the link of a client of %s: %s", self.address, exc)
        else:
            if link is not None:
                link.receiver = self._accept(link)
                link.start()

    def _answer(self, request: ConnectRequest) -> StartedLink | None:
        """Return the server's end of a link, or None if the client's process has ended."""
        if not request.process.alive:
            reap_in_passing()
            return None
        pair = self._rendezvous.pair.of_client(*request.endpoints)
        try:
            return self._rendezvous.link(self._rendezvous.name, request.process, pair)
        except BaseException:
            pair.remove()
            raise
