"""The raw limit: what nobody beats in pure Python on the stock event loop.

Hand-written for this one job. It joins the writes of a loop turn, receives into one buffer shared by all
connections, and matches answers by integer. It has no acknowledgements, no sessions, no deadlines and no
error replies: whatever a framework adds, it adds on top of this.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from struct import Struct
from typing import Any, cast

import orjson

from benchmarks.arena import Handler

__all__ = ["connect", "serve"]

HEADER = Struct("<IQB")  # length of the body, id, kind
REQUEST, ANSWER, THROW = 0, 1, 2
# Parts, two to a message. Throws are written in pieces, for nothing else ends their loop turn.
THROWN_PIECE = 2 * 128
BACKLOG = 1024

_received = memoryview(bytearray(256 * 1024))


class _Wire(asyncio.BufferedProtocol):
    """What both ends share: joined writes, and cutting the incoming bytes into messages.

    Args:
        piece: parts after which a burst is written though its loop turn goes on.
    """

    def __init__(self, piece: int) -> None:
        self.piece = piece
        self.loop = asyncio.get_running_loop()
        self.parts: list[bytes] = []
        self.tail = b""
        self.drained: asyncio.Future[None] | None = None
        self.closed: asyncio.Future[None] = self.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)

    def pause_writing(self) -> None:
        self.drained = self.loop.create_future()

    def resume_writing(self) -> None:
        drained, self.drained = self.drained, None
        if drained is not None:
            drained.set_result(None)

    def flush(self) -> None:
        parts = self.parts
        if parts:
            self.transport.write(b"".join(parts))
            parts.clear()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _received

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(_received[:nbytes])
        if self.tail:
            data = self.tail + data
        at = self.messages(data)
        self.tail = data[at:]

    def messages(self, data: bytes) -> int:
        """Handle all whole messages in *data*; return where the rest begins."""
        raise NotImplementedError


class _ServerEnd(_Wire):
    def __init__(self, piece: int, handler: Handler) -> None:
        super().__init__(piece)
        self.handler = handler

    def messages(self, data: bytes) -> int:
        unpack, loads, dumps, pack = HEADER.unpack_from, orjson.loads, orjson.dumps, HEADER.pack
        handler, parts = self.handler, self.parts
        append = parts.append
        at, size = 0, len(data)
        while size - at >= 13:
            length, number, kind = unpack(data, at)
            start = at + 13
            end = start + length
            if end > size:
                break
            at = end
            answer = handler(loads(data[start:end]))
            if kind == REQUEST:
                body = dumps(answer)
                append(pack(len(body), number, ANSWER))
                append(body)
                if len(parts) >= self.piece:
                    self.flush()
        self.flush()
        return at


class _ClientEnd(_Wire):
    def __init__(self, piece: int) -> None:
        super().__init__(piece)
        self.number = 0
        self.pending: dict[int, asyncio.Future[Any]] = {}

    async def request(self, data: Any) -> Any:
        body = orjson.dumps(data)
        self.number = number = self.number + 1
        parts, pending = self.parts, self.pending
        if not pending and not parts:
            self.transport.write(HEADER.pack(len(body), number, REQUEST) + body)
        else:
            if not parts:
                self.loop.call_soon(self.flush)
            parts.append(HEADER.pack(len(body), number, REQUEST))
            parts.append(body)
            if len(parts) >= self.piece:
                self.flush()
        pending[number] = answer = self.loop.create_future()
        return await answer

    async def throw(self, data: Any) -> None:
        body = orjson.dumps(data)
        parts = self.parts
        if not parts:
            self.loop.call_soon(self.flush)
        parts.append(HEADER.pack(len(body), 0, THROW))
        parts.append(body)
        if len(parts) >= THROWN_PIECE:
            self.flush()
            if self.drained is not None:
                await self.drained

    def messages(self, data: bytes) -> int:
        unpack, loads, pop = HEADER.unpack_from, orjson.loads, self.pending.pop
        at, size = 0, len(data)
        while size - at >= 13:
            length, number, _ = unpack(data, at)
            start = at + 13
            end = start + length
            if end > size:
                break
            at = end
            pop(number).set_result(loads(data[start:end]))
        return at


@asynccontextmanager
async def serve(path: str, handler: Handler, piece: int = sys.maxsize) -> AsyncIterator[None]:
    """Serve *handler*, a plain function, at the Unix socket *path*."""
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: _ServerEnd(piece, handler), path, backlog=BACKLOG)
    try:
        yield
    finally:
        server.close()


@asynccontextmanager
async def connect(path: str, piece: int = sys.maxsize) -> AsyncIterator[_ClientEnd]:
    """Open one connection to the server at *path*."""
    loop = asyncio.get_running_loop()
    transport, end = await loop.create_unix_connection(lambda: _ClientEnd(piece), path)
    try:
        yield end
    finally:
        transport.close()
        await end.closed
