"""How clients find a server: by a queue of the server's, where they send requests."""

from __future__ import annotations

import asyncio
import json
import queue
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

from ...abc import Link, LinkReceiver
from ...exceptions import CommunicaError, LinkError, LinkRefused, QueueLimitReached
from ...system import AddressLock, ProcessId, reap_in_passing

if TYPE_CHECKING:
    from ...queues import PipeQueue, PosixMQ, SysVMQ

    NamedQueue = PosixMQ | SysVMQ | PipeQueue

LARGEST_REQUEST: Final = 1024
"""Bytes of the largest connect request."""

_VERSION: Final = 1
_CHECK_INTERVAL: Final = 0.2  # seconds between checks that the server of a full queue lives
_ATTEMPTS: Final = 5  # to make a pair, where the kernel sets limits to all clients together
_RETRY_DELAY: Final = 0.02  # seconds


class ConnectRequest(NamedTuple):
    """What a client sends to connect. On the medium it is one line of JSON, in ASCII.

    Attributes:
        process: the client's.
        endpoints: the names of its pair; see Pair.
    """

    process: ProcessId
    endpoints: tuple[str, ...]

    def encode(self) -> bytes:
        """Return the request as bytes, at most LARGEST_REQUEST of them."""
        return json.dumps([_VERSION, str(self.process), *self.endpoints]).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the request that the bytes hold.

        Raises:
            ValueError: they hold no request of this version.
        """
        try:
            found: Any = json.loads(data)
        except (UnicodeDecodeError, RecursionError) as exc:
            raise ValueError(f"no request: {exc}") from exc
        if not isinstance(found, list) or found[:1] != [_VERSION] or len(found) < 2:
            raise ValueError(f"no request of version {_VERSION}: {data[:80]!r}")
        if not all(isinstance(part, str) for part in found[1:]):
            raise ValueError(f"a request consists of text: {data[:80]!r}")
        return cls(ProcessId.parse(found[1]), tuple(found[2:]))


class Pair(ABC):
    """One side of the queues or pipes of a link, one for each direction, open."""

    @classmethod
    @abstractmethod
    def make(cls) -> Self:
        """Make a pair, as a client.

        Raises:
            QueueLimitReached: the kernel has no room for it.
            OSError, LinkError: any other failure.
        """

    @classmethod
    @abstractmethod
    def of_client(cls, *endpoints: str) -> Self:
        """Open the pair that a client made, as its server.

        Raises:
            ValueError: no client makes such endpoints.
            FileNotFoundError: the client has given up.
            OSError, LinkError: the pair cannot be used.
        """

    @property
    @abstractmethod
    def endpoints(self) -> tuple[str, ...]:
        """The names by which the server opens the pair."""

    @abstractmethod
    def remove(self) -> None:
        """Close this side, and remove what is left of the pair in the system."""


class StartedLink(Link):
    """A link that reads only after ``start``.

    Args:
        name: the name of the rendezvous.
        process: the other side's.
        pair: belongs to the link from now on.
    """

    @abstractmethod
    def __init__(self, name: str, process: ProcessId, pair: Any) -> None: ...

    @abstractmethod
    def start(self) -> None:
        """Begin to read, now that there is a receiver. On a broken link this does nothing."""


class Rendezvous(ABC):
    """A server's queue on a medium, and what the links of that medium consist of.

    Args:
        name: of the rendezvous queue, as text.
        address: the URL of its connector.
    """

    kind: ClassVar[str]
    """The kind of the queue, for ``system.register``."""
    pair: ClassVar[type[Pair]]
    link: ClassVar[type[StartedLink]]

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address

    @abstractmethod
    def create(self) -> NamedQueue:
        """Create the rendezvous queue.

        Raises:
            FileExistsError: there is something of that name.
        """

    @abstractmethod
    def open(self) -> NamedQueue:
        """Open the rendezvous queue of a server.

        Raises:
            FileNotFoundError: there is none.
        """

    def exists(self) -> bool:
        """Return whether something has that name, even if it cannot be opened."""
        try:
            self.open().close()
        except FileNotFoundError:
            return False
        except QueueLimitReached:
            raise
        except OSError:
            return True
        return True


async def connect_by_rendezvous(rendezvous: Rendezvous, receiver: LinkReceiver) -> Link:
    """Return a new link to the server, as Connector.connect does.

    Raises:
        LinkRefused: no live process serves the address.
        QueueLimitReached: the kernel has no room for a link.
        LinkError: any other failure.
    """
    try:
        reap_in_passing()
        server = AddressLock.owner(rendezvous.address)
        if server is None:
            raise LinkRefused(f"no server listens at {rendezvous.address}")
        pair = await _make_pair(rendezvous)
        try:
            await _send_request(rendezvous, server, pair.endpoints)
            link = rendezvous.link(rendezvous.name, server, pair)
        except BaseException:
            pair.remove()
            raise
    except OSError as exc:
        if isinstance(exc, CommunicaError):
            raise
        raise LinkError(f"cannot connect to {rendezvous.address}: {exc}") from exc
    link.receiver = receiver
    link.start()
    return link


async def _make_pair(rendezvous: Rendezvous) -> Pair:
    # Other clients that connect at the same time take some room only for a moment.
    for _ in range(_ATTEMPTS - 1):
        try:
            return rendezvous.pair.make()
        except QueueLimitReached:
            await asyncio.sleep(_RETRY_DELAY)
    return rendezvous.pair.make()


async def _send_request(rendezvous: Rendezvous, server: ProcessId, endpoints: tuple[str, ...]) -> None:
    """Send a connect request, after waiting for room in the rendezvous queue.

    If it is cancelled, the request was not sent.
    """
    data = ConnectRequest(ProcessId.own(), endpoints).encode()
    gone = LinkRefused(f"the server of {rendezvous.address} has just ended")
    try:
        async with rendezvous.open() as requests:
            while True:
                try:
                    await requests.put(data, timeout=_CHECK_INTERVAL)
                    break
                except queue.Full:
                    if AddressLock.owner(rendezvous.address) != server:
                        raise gone from None
    except FileNotFoundError as exc:
        raise gone from exc
    if AddressLock.owner(rendezvous.address) != server:
        raise gone
