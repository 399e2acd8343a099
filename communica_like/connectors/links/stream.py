"""A Link over a byte stream: an asyncio BufferedProtocol, and the receive buffer that all of them share."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Final, cast

from ...abc import Link, LinkReceiver, PeerIdentity
from ...exceptions import PeerNotTrusted
from ...system import fork

__all__ = ["StreamLink"]

# Larger reads cost more than the calls they save: what they bring outgrows the caches, and the garbage
# collector's patience, before it is handled.
_BUFFER_SIZE: Final = 64 * 1024

Identify = Callable[[asyncio.BaseTransport], PeerIdentity]
Accept = Callable[[Link], LinkReceiver]


class _SharedBuffer(threading.local):
    """One receive buffer for all links of a thread: a selector loop fills and empties it at one go."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_BUFFER_SIZE))


_shared = _SharedBuffer()


class StreamLink(asyncio.BufferedProtocol, Link):
    """One end of a stream connection.

    Args:
        accept: called once, with this link, when the connection is made: returns the receiver.
        identify: tells who is at the other end; may raise PeerNotTrusted, which breaks the link.
    """

    def __init__(self, accept: Accept, identify: Identify) -> None:
        self._accept = accept
        self._identify = identify
        self._fd = -1
        self._refused: PeerNotTrusted | None = None
        self._ended_here = False
        self.writable = True
        # A proactor reads into the buffer behind our back: there, each link needs its own.
        self._view = memoryview(bytearray(_BUFFER_SIZE)) if sys.platform == "win32" else _shared.view

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            self._fd = sock.fileno()
            fork.add(self._fd)
        try:
            self.peer = self._identify(transport)
        except PeerNotTrusted as exc:
            self._refused = exc
            self._transport.abort()
            return
        self.receiver = self._accept(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        self.receiver.data_received(bytes(self._view[:nbytes]))

    def eof_received(self) -> None:
        return None

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self.receiver.link_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        fork.discard(self._fd)
        self.writable = False
        if self._refused is None:
            self._report(exc)

    # -- for subclasses

    def _report(self, error: Exception | None) -> None:
        """The connection is gone: tell the receiver."""
        self.receiver.link_broken(error)

    # -- the session's side

    @property
    def refused(self) -> PeerNotTrusted | None:
        """Why the other end is not trusted, or None."""
        return self._refused

    def send(self, data: bytes) -> None:
        # Broken transports log each write, or raise; TLS ones cannot be closed twice either.
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if not self._transport.is_closing():
            self._ended_here = True
            self._transport.close()

    def abort(self) -> None:
        self._ended_here = True
        self._transport.abort()
