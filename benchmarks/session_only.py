"""What the session alone costs: the limit in pieces, with the session between the bytes and the messages.

Everything that the session does per message (acknowledgements, replay buffer, credit) is here; entities,
handshakes, deadlines and reconnecting are not. Writes go out in the same pieces as the limit's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, cast

import orjson

from benchmarks.arena import Handler
from benchmarks.limit import BACKLOG, THROWN_PIECE
from benchmarks.limit_in_pieces import PIECE
from communica_like.session.events import REQUEST, RESULT, THROW, Event
from communica_like.session.session import Session
from communica_like.wire.limits import Limits

__all__ = ["connect", "serve"]

SESSION_ID = bytes(range(16))

TICK = 0.025
OUTBOX = 512 * 1024  # bytes not acknowledged: less than the credit, so that no throw has to queue for it
MESSAGES, THROWS = PIECE // 2, THROWN_PIECE // 2

_received = memoryview(bytearray(256 * 1024))


class _Wire(asyncio.BufferedProtocol):
    """What both ends share: a session, its clock, and its bytes."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.session = Session(Limits())
        self.unwritten = 0  # messages
        self.room: asyncio.Future[None] | None = None
        self.paused = False
        self.closed: asyncio.Future[None] = self.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.now = monotonic()
        self.session.establish(SESSION_ID, Limits(), self.now)
        self.timer = self.loop.call_later(TICK, self.tick)

    def connection_lost(self, exc: Exception | None) -> None:
        self.timer.cancel()
        self.closed.set_result(None)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.make_room()

    def make_room(self) -> None:
        room = self.room
        if room is not None and not self.paused and self.session.buffered < OUTBOX // 2:
            self.room = None
            room.set_result(None)

    def tick(self) -> None:
        self.timer = self.loop.call_later(TICK, self.tick)
        self.now = monotonic()
        if self.session.next_deadline <= self.now:
            self.events(self.session.tick(self.now))
            self.flush()

    def flush(self) -> None:
        self.unwritten = 0
        if data := self.session.data_to_send(self.now):
            self.transport.write(data)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _received

    def buffer_updated(self, nbytes: int) -> None:
        self.now = monotonic()
        self.events(self.session.receive(bytes(_received[:nbytes]), self.now))
        self.flush()
        if self.room is not None:
            self.make_room()

    def events(self, events: list[Event]) -> None:
        """Act on what the session reports."""
        raise NotImplementedError


class _ServerEnd(_Wire):
    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self.handler = handler

    def events(self, events: list[Event]) -> None:
        loads, dumps, handler = orjson.loads, orjson.dumps, self.handler
        answer = self.session.answer
        for kind, ident, _, _, body in events:
            if kind == REQUEST:
                answer(ident, dumps(handler(loads(body))))
                self.unwritten += 1
                if self.unwritten >= MESSAGES:
                    self.flush()
            elif kind == THROW:
                handler(loads(body))
            else:
                raise RuntimeError(f"an event of kind {kind}: {ident}")


class _ClientEnd(_Wire):
    async def request(self, data: Any) -> Any:
        session = self.session
        answer: asyncio.Future[Any] = self.loop.create_future()
        lone = not session.pending and not self.unwritten
        if not session.request(answer, b"", orjson.dumps(data), self.now):
            raise RuntimeError("the outbox is full")
        if lone:
            self.flush()
        else:
            self.unwritten += 1
            if self.unwritten == 1:
                self.loop.call_soon(self.flush)
            elif self.unwritten >= MESSAGES:
                self.flush()
        return await answer

    async def throw(self, data: Any) -> None:
        if not self.session.throw(b"", orjson.dumps(data), self.now):
            raise RuntimeError("the outbox is full")
        self.unwritten += 1
        if self.unwritten == 1:
            self.loop.call_soon(self.flush)
        elif self.unwritten >= THROWS:
            self.flush()
            if self.paused or self.session.buffered > OUTBOX:
                self.room = self.loop.create_future()
                await self.room

    def events(self, events: list[Event]) -> None:
        loads = orjson.loads
        for kind, token, _, _, body in events:
            if kind == RESULT:
                token.set_result(loads(body))
            else:
                raise RuntimeError(f"an event of kind {kind}: {token}")


@asynccontextmanager
async def serve(path: str, handler: Handler) -> AsyncIterator[None]:
    """Serve *handler*, a plain function, at the Unix socket *path*."""
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: _ServerEnd(handler), path, backlog=BACKLOG)
    try:
        yield
    finally:
        server.close()


@asynccontextmanager
async def connect(path: str) -> AsyncIterator[_ClientEnd]:
    """Open one connection to the server at *path*."""
    loop = asyncio.get_running_loop()
    transport, end = await loop.create_unix_connection(_ClientEnd, path)
    try:
        yield end
    finally:
        transport.close()
        await end.closed
