"""Requests and throws of a client, into a shared inbox, and the responses that come back."""

from __future__ import annotations

import asyncio
import queue
import secrets
import time
from collections.abc import Callable
from typing import Final

from ...abc.inbox import ANSWER, DEAD, Message, Publisher, SharedInbox
from ...aio.eager import set_result_now
from ...aio.waiters import Waiters
from ...exceptions import ConnectionLost, HandlerError, MessageTooBig, RequestTimeout
from ...wire.failure import Failure
from ...wire.greetings import Reason
from ...wire.limits import MESSAGE_COST, Limits
from ..backends import Channel
from ..handling.context import deadline_after

_MAX_KEY: Final = 255  # bytes

Futures = dict[int, asyncio.Future[bytes]]


class InboxCalls(Channel):
    """The calls of one client: they go into an inbox, and responses and confirmations come back.

    Args:
        client_id: the client's id.
        limits: ``outbox`` bounds what is under way, ``max_message`` each message.
        inbox: where calls go.

    Attributes:
        publisher: the client's end of the inbox.
        obstacle: why there is no connection, for a RequestTimeout.
    """

    def __init__(self, client_id: str, limits: Limits, inbox: SharedInbox) -> None:
        self.client_id = client_id
        self.publisher: Publisher = inbox.publisher(self)
        self.obstacle: Callable[[], str] = str
        self._limits = limits
        self._closed: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._keys = secrets.token_hex(16)
        self._last = 0
        self._sent = 0
        self._requests: Futures = {}
        self._throws: Futures = {}
        self._under_way = 0  # bytes
        self._room = Waiters(queue.Full)
        self._no_throws = asyncio.Event()

    @property
    def live(self) -> bool:
        return self.publisher.connected

    async def request(
        self, route: bytes, body: bytes, timeout: float | None = None, idempotent: bool = False,
        key: str | None = None
    ) -> bytes:
        deadline = deadline_after(timeout, self._loop.time())
        try:
            return await self._call(self._requests, route, body, deadline, key, "no answer in time")
        except HandlerError as exc:
            if deadline is not None and deadline <= self._loop.time():
                # Most likely the handler failed because its own deadline passed.
                raise RequestTimeout("no answer in time") from exc
            raise

    async def throw(
        self, route: bytes, body: bytes, timeout: float | None = None, key: str | None = None
    ) -> None:
        deadline = deadline_after(timeout, self._loop.time())
        late = "the broker did not confirm it in time; it may have it"
        try:
            await self._call(self._throws, route, body, deadline, key, late)
        finally:
            if not self._throws:
                self._no_throws.set()

    @property
    def settled(self) -> bool:
        return not self._throws

    async def flushed(self) -> None:
        while self._throws:
            self._no_throws.clear()
            await self._no_throws.wait()

    # -- closing

    def refuse(self, error: Exception) -> None:
        """Make all calls raise *error*, waiting requests too; throws may still be confirmed."""
        self._closed = error
        for ident, response in self._requests.items():
            self.publisher.forget(ident, cancel=True)
            if not response.done():
                response.set_exception(error)
        self._room.notify()

    def end(self, reason: Reason) -> None:
        """Make throws that wait raise ConnectionLost: they will not be confirmed."""
        for confirmed in self._throws.values():
            if not confirmed.done():
                confirmed.set_exception(ConnectionLost(f"the broker did not confirm it: {reason.text}"))

    # -- reports of the reconnector and the publisher

    def connection_lost(self) -> None:
        """The connection is gone; calls that were made until now may have been sent."""
        self._sent = self._last

    def answered(self, ident: int, kind: int, body: bytes) -> None:
        """A response has come."""
        response = self._requests.get(ident)
        if response is None or response.done():
            return
        if kind == ANSWER and len(self._requests) == 1:
            set_result_now(response, body)
        elif kind == ANSWER:
            response.set_result(body)
        elif kind == DEAD:
            response.set_exception(ConnectionLost(body.decode("utf-8", "replace"), sent=True))
        else:
            response.set_exception(Failure.decode(kind, body).exception())

    def confirmed(self, ident: int) -> None:
        """The broker has a message."""
        confirmed = self._throws.get(ident)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(b"")

    def too_big(self, ident: int, text: str) -> None:
        """The broker has refused a message because of its size."""
        call = self._requests.get(ident) or self._throws.get(ident)
        if call is not None and not call.done():
            call.set_exception(MessageTooBig(text))

    # -- one call

    async def _call(
        self, calls: Futures, route: bytes, body: bytes, deadline: float | None, key: str | None, late: str
    ) -> bytes:
        """Send a message when there is room, and wait for what comes of it.

        Args:
            calls: the calls of its kind.
            late: what a RequestTimeout says when the deadline passes after that.
        """
        is_request = calls is self._requests
        await self._take_room(body, deadline, key)
        self._last += 1
        ident = self._last
        future: asyncio.Future[bytes] = self._loop.create_future()
        calls[ident] = future
        timer = None
        cancel = False
        try:
            expires = None
            if deadline is not None:
                timer = self._loop.call_at(deadline, self._on_deadline, ident, future, late)
                if is_request:
                    expires = time.time() + deadline - self._loop.time()
            key = f"{self._keys}-{ident}" if key is None else key
            self.publisher.send(Message(ident, is_request, route, body, key, self.client_id, expires))
            return await future
        except asyncio.CancelledError:
            cancel = is_request
            raise
        finally:
            if timer is not None:
                timer.cancel()
            del calls[ident]
            self.publisher.forget(ident, cancel=cancel)
            self._under_way -= len(body) + MESSAGE_COST
            self._room.notify()

    async def _take_room(self, body: bytes, deadline: float | None, key: str | None) -> None:
        if len(body) > self._limits.max_message:
            raise MessageTooBig(f"{len(body)} bytes; this side sends at most {self._limits.max_message}")
        if key is not None and not isinstance(key, str):
            raise TypeError(f"a key is a str, not {type(key).__name__}")
        if key is not None and not 0 < len(key.encode()) <= _MAX_KEY:
            raise ValueError(f"a key has 1 to {_MAX_KEY} bytes of UTF-8, not {key!r}")
        timeout = None if deadline is None else deadline - self._loop.time()
        if timeout is not None and timeout <= 0:
            raise RequestTimeout("the time was over before it was sent")

        def attempt() -> None:
            if self._closed is not None:
                raise self._closed.with_traceback(None)
            if self._under_way >= self._limits.outbox:
                raise queue.Full
            self._under_way += len(body) + MESSAGE_COST

        try:
            await self._room.wait(attempt, timeout)
        except queue.Full as exc:
            raise RequestTimeout("no room in the outbox in time") from exc

    def _on_deadline(self, ident: int, future: asyncio.Future[bytes], late: str) -> None:
        if not future.done():
            obstacle = self.obstacle()
            if obstacle and ident > self._sent:
                late = "not sent"
            obstacle = obstacle or self.publisher.obstacle
            future.set_exception(RequestTimeout(f"{late}: {obstacle}" if obstacle else late))
