"""How clients find a server by way of a queue that all of them may write to: its doorbell."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, Self, TypeVar

from ...abc import AsyncQueue, Link, LinkReceiver
from ...exceptions import CommunicaError, LinkError, LinkRefused, QueueLimitReached
from ...system import AddressLock, ProcessId, reap_in_passing

__all__ = [
    "LARGEST_REQUEST",
    "ConnectRequest",
    "Pair",
    "Rendezvous",
    "StartedLink",
    "connect_by_rendezvous",
    "is_there",
]

_VERSION: Final = 1
LARGEST_REQUEST: Final = 1024
"""Bytes of the largest one."""


class ConnectRequest(NamedTuple):
    """A client's wish to be let in. On the medium it is one line of JSON, in ASCII.

    Attributes:
        process: the client's.
        endpoints: names of what it has made for the two of them, as its connector defines them.
    """

    process: ProcessId
    endpoints: tuple[str, ...]

    def encode(self) -> bytes:
        """Return it as bytes, at most LARGEST_REQUEST of them."""
        return json.dumps([_VERSION, str(self.process), *self.endpoints]).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return what the bytes say.

        Raises:
            ValueError: they are no request of this version.
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


_LOOK: Final = 0.2  # seconds, after which a client at a full doorbell looks whether the server is there
_ATTEMPTS: Final = 5  # to make a pair, where the kernel sets limits to all clients together
_PAUSE: Final = 0.02  # seconds, between two of them


class Pair(Protocol):
    """What a client makes for itself and the server: one queue for each direction.

    Attributes:
        endpoints: how the client tells the server of it.
    """

    @property
    def endpoints(self) -> tuple[str, ...]: ...

    def remove(self) -> None:
        """Close it, and remove what is left of it in the system."""


class StartedLink(Link):
    """A link that reads when it is told to."""

    def start(self) -> None:
        """Begin to read, now that there is a receiver. On a broken link it does nothing."""
        raise NotImplementedError


P = TypeVar("P", bound=Pair)


class Rendezvous(Protocol[P]):
    """A medium's doorbell, and what links of that medium consist of.

    Attributes:
        address: its connector's URL.
        kind, name: what it is in the ledger.
    """

    @property
    def address(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...

    def exists(self) -> bool:
        """Whether there is something of that name, whoever made it."""

    def create(self) -> AsyncQueue:
        """Make the queue of knocks; raise FileExistsError if there is something of that name."""

    def open(self) -> AsyncQueue:
        """Open the queue of a server; raise FileNotFoundError if there is none."""

    def remove(self) -> None:
        """Remove what ``create`` made last; it stays open."""

    def make_pair(self) -> P:
        """Make a pair, as a client.

        Raises:
            QueueLimitReached: there is no room for it.
            OSError, LinkError: it cannot be made.
        """

    def open_pair(self, *endpoints: str) -> P:
        """Open what a client made, as a server.

        Raises:
            OSError, LinkError: the client has given up, or what it made cannot be used.
            ValueError: these are no endpoints that a client makes.
        """

    def link(self, process: ProcessId, pair: P) -> StartedLink:
        """Return this side's end of a link, which owns the pair from now on.

        Args:
            process: the other side's.
            pair: open.
        """


async def connect_by_rendezvous(rendezvous: Rendezvous[P], receiver: LinkReceiver) -> Link:
    """Return a new link to the server, as Connector.connect does.

    Raises:
        LinkRefused: nobody serves the address.
        QueueLimitReached: there is no room for a link.
        LinkError: any other failure.
    """
    try:
        reap_in_passing()
        server = AddressLock.owner(rendezvous.address)
        if server is None:
            raise LinkRefused(f"nobody serves {rendezvous.address}")
        pair = await _pair(rendezvous)
        try:
            await _request(rendezvous, server, pair.endpoints)
            link = rendezvous.link(server, pair)
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


def is_there(open_: Callable[[], AsyncQueue]) -> bool:
    """Return whether there is a queue to open; also if this process may not."""
    try:
        open_().close()
    except FileNotFoundError:
        return False
    except QueueLimitReached:
        raise
    except OSError:
        return True
    return True


async def _pair(rendezvous: Rendezvous[P]) -> P:
    # While others connect as well, they take some room that they are going to give back.
    for _ in range(_ATTEMPTS - 1):
        try:
            return rendezvous.make_pair()
        except QueueLimitReached:
            await asyncio.sleep(_PAUSE)
    return rendezvous.make_pair()


async def _request(rendezvous: Rendezvous[P], server: ProcessId, endpoints: tuple[str, ...]) -> None:
    """Tell the server that a client waits for it at *endpoints*.

    It waits while the doorbell is full. If it is cancelled, the server was not told.
    """
    data = ConnectRequest(ProcessId.own(), endpoints).encode()
    gone = LinkRefused(f"the server of {rendezvous.address} has gone in this moment")
    try:
        async with rendezvous.open() as knocks:
            while True:
                try:
                    await knocks.put(data, timeout=_LOOK)
                    break
                except queue.Full:
                    if AddressLock.owner(rendezvous.address) != server:
                        raise gone from None
    except FileNotFoundError as exc:
        raise gone from exc
    if AddressLock.owner(rendezvous.address) != server:
        raise gone
