"""Link: bytes between two processes, until it breaks. Listener: a server that accepts links."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol

from .peer import PeerIdentity


class LinkReceiver(Protocol):
    """Callbacks for the events of a link. They are called on the event loop, one at a time."""

    def data_received(self, data: bytes, /) -> None:
        """Bytes have arrived: in order, cut anywhere."""

    def link_writable(self) -> None:
        """``Link.writable`` has turned True again."""

    def link_broken(self, error: Exception | None, /) -> None:
        """The link has broken. This is called exactly once, and last.

        Args:
            error: None: it was closed in an orderly way. PeerGone: the other process has ended, and its
                sessions with it. Any other exception: a session may continue over another link.
        """


class Link(ABC):
    """An unreliable two-way byte stream: ordered and unaltered while it lasts, then broken for good.

    A link may break at any time and lose what is on its way. The session above resends that. All methods
    belong to the link's event loop; none of them blocks or raises.

    Attributes:
        receiver: gets what arrives. It may be replaced at any time.
        writable: False while the link holds more unsent bytes than it should; ``send`` still works.
        peer: the identity of the other process, as far as it is known.
        lingers: seconds that ``close`` may need beyond the usual before it is aborted.
    """

    lingers: float = 0.0
    receiver: LinkReceiver
    writable: bool
    peer: PeerIdentity

    @abstractmethod
    def send(self, data: bytes, /) -> None:
        """Take *data*, of any size, to be sent in order. On a broken link, do nothing."""

    @abstractmethod
    def close(self) -> None:
        """Send what was taken, then break the link. Returns at once; ``link_broken`` follows."""

    @abstractmethod
    def abort(self) -> None:
        """Break the link now and drop what was not sent. ``link_broken`` follows soon."""


class Listener(ABC):
    """A server's open address.

    Attributes:
        address: the URL by which clients reach it. Where the system chose a part of it (TCP's port 0), that
            part is in it.
    """

    address: str

    @abstractmethod
    async def close(self) -> None:
        """Stop listening, and remove what the listener put into the system. Its links stay."""

    async def wait_over(self) -> None:
        """Wait until no link can come any more, so that the server may end. Most listeners wait forever."""
        await asyncio.get_running_loop().create_future()
