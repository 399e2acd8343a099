"""StreamLink: a link over a byte stream, as an asyncio protocol. StreamListener: sockets that accept them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Self, cast

from ...abc import Link, LinkReceiver, Listener, PeerIdentity
from ...exceptions import PeerNotTrusted
from ...system import fork
from ..url import join_host_port

# Larger reads cost more than the calls they save: before their data is handled, it falls out of the caches
# and sets off the garbage collector.
_BUFFER_SIZE: Final = 64 * 1024
_BACKLOG: Final = 4096

Identify = Callable[[asyncio.BaseTransport], PeerIdentity]
Accept = Callable[[Link], LinkReceiver]


def peer_address(transport: asyncio.BaseTransport) -> str:
    """Return ``host:port`` of the other end of a connection, or ``?`` if it is gone."""
    name = transport.get_extra_info("peername")
    return join_host_port(name[0], name[1]) if name else "?"


class _SharedBuffer(threading.local):
    """The receive buffer of a thread's links; the loop fills and empties it at one go."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_BUFFER_SIZE))


_shared = _SharedBuffer()


class StreamListener(Listener):
    """Listening sockets that the event loop serves.

    Args:
        address: the URL by which clients reach it.
        sockets: belong to the listener from now on.
        release: called once, before they are closed.
    """

    def __init__(
        self, address: str, sockets: Sequence[socket.socket], release: Callable[[], object] = lambda: None
    ) -> None:
        self.address = address
        self._sockets = sockets
        self._release = release
        self._servers: list[asyncio.Server] = []
        self._closed = False
        for sock in sockets:
            fork.add(sock.fileno())

    async def start(self, create: Callable[..., Awaitable[asyncio.Server]]) -> Self:
        """Serve the sockets, and return this. If that fails or is cancelled, close them.

        Args:
            create: makes a server, as ``loop.create_server`` does of the same keywords.
        """
        try:
            for sock in self._sockets:
                self._servers.append(await create(sock=sock, backlog=_BACKLOG, start_serving=False))
            for server in self._servers:
                # A separate step: create_server, cancelled while it starts serving, would leave a server.
                await server.start_serving()
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        if self._closed:
            return  # the numbers of the descriptors may be reused by now
        self._closed = True
        loop = asyncio.get_running_loop()
        try:
            self._release()
            for sock in self._sockets:
                with contextlib.suppress(NotImplementedError):  # Windows, whose loop has no need of it
                    loop.remove_reader(sock)
            # A closed server forgets connections that were accepted in this turn of the loop, and does not
            # close them.
            await asyncio.sleep(0)
        finally:
            for sock in self._sockets:
                fork.discard(sock.fileno())
            for server in self._servers:
                server.close()
            for sock in self._sockets:
                sock.close()


class StreamLink(asyncio.BufferedProtocol, Link):
    """One end of a stream connection.

    Args:
        accept: called once, with this link, when the connection is made. Returns the receiver.
        identify: returns the identity of the other end. May raise PeerNotTrusted, which breaks the link.

    Attributes:
        refused: why the other end is not trusted, or None.
    """

    def __init__(self, accept: Accept, identify: Identify) -> None:
        self._accept = accept
        self._identify = identify
        self._fd = -1
        self._ended_here = False
        self.refused: PeerNotTrusted | None = None
        self.writable = True
        # A proactor loop reads into the buffer in the background, so there each link needs its own.
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
            self.refused = exc
            self._transport.abort()
            return
        self.receiver = self._accept(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        self.receiver.data_received(bytes(self._view[:nbytes]))

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self.receiver.link_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        fork.discard(self._fd)
        self.writable = False
        if self.refused is None:
            self._report(exc)

    # -- for subclasses

    def _report(self, error: Exception | None) -> None:
        """Tell the receiver that the connection is gone."""
        self.receiver.link_broken(error)

    # -- the session's side

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
