"""What a link and a listener are: bytes between two processes, until it breaks."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol

from .peer import PeerIdentity

__all__ = ["Link", "LinkReceiver", "Listener"]


class LinkReceiver(Protocol):
    """Whoever a link reports to. All calls come from the event loop, none of them twice at once."""

    def data_received(self, data: bytes, /) -> None:
        """Some bytes arrived, in order, cut anywhere."""

    def link_writable(self) -> None:
        """``Link.writable`` has turned True again."""

    def link_broken(self, error: Exception | None, /) -> None:
        """The link is gone: exactly one call, the last one.

        None: closed in an orderly way. PeerGone: the process at the other end has ended, which ends the
        session as well; anything else: the session may go on with another link.
        """


class Link(ABC):
    """An unreliable two-way pipe for bytes: ordered and unaltered while it lasts, then broken for good.

    A link may break at any time and lose what was under way; the session above it makes good for that.

    Attributes:
        receiver: gets what arrives; may be exchanged at any time.
        writable: False while the link holds more unsent bytes than it likes.
        peer: who is at the other end.
        lingers: seconds that ``close`` may take longer than links usually do, before it is aborted.
    """

    lingers: float = 0.0
    receiver: LinkReceiver
    writable: bool
    peer: PeerIdentity

    @abstractmethod
    def send(self, data: bytes, /) -> None:
        """Take *data* for sending. Never blocks, never raises; on a broken link it does nothing."""

    @abstractmethod
    def close(self) -> None:
        """Send what was taken, then break the link. Returns at once; the receiver hears of it."""

    @abstractmethod
    def abort(self) -> None:
        """Break the link now and drop what was not sent. The receiver hears of it soon."""


class Listener(ABC):
    """A server's open address.

    Attributes:
        address: the URL under which clients reach it; where the system chose a part (port 0), the
            chosen one.
    """

    address: str

    @abstractmethod
    async def close(self) -> None:
        """Stop listening and remove what the listener put into the system. Links live on."""

    async def wait_over(self) -> None:
        """Wait until no link can come any more, and the server may as well end. Most wait for ever."""
        await asyncio.get_running_loop().create_future()
