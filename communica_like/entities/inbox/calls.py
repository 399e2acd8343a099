"""A client's calls into a shared inbox."""

from __future__ import annotations

import asyncio
import math
import queue
import secrets
import time
from typing import Final, TypeVar

from ...abc.inbox import ANSWER, DEAD, Message, Publisher, SharedInbox
from ...aio.eager import set_result_now
from ...aio.timer import NEVER
from ...aio.waiters import Waiters
from ...exceptions import ConnectionLost, HandlerError, MessageTooBig, RequestTimeout
from ...wire.failure import Failure
from ...wire.greetings import Reason
from ...wire.limits import MESSAGE_COST, Limits
from ..backends import Channel
from ..handling.context import inherited_deadline

__all__ = ["InboxCalls"]

_LONGEST_KEY: Final = 255

T = TypeVar("T")


class InboxCalls(Channel):
    """The calls of one client: they go into an inbox, and responses come back.

    Args:
        client_id: the client's id.
        limits: ``outbox`` bounds what is under way, ``max_message`` each message.
        inbox: where calls go.

    Attributes:
        sender: the client's end of the inbox.
        closed: what calls raise, when this side is closed.
    """

    def __init__(self, client_id: str, limits: Limits, inbox: SharedInbox) -> None:
        self.client_id = client_id
        self.limits = limits
        self.sender: Publisher = inbox.publisher(self)
        self.closed: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._keys = secrets.token_hex(16)
        self._last = 0
        self._requests: dict[int, asyncio.Future[bytes]] = {}
        self._throws: dict[int, asyncio.Future[None]] = {}
        self._under_way = 0
        self._room = Waiters(queue.Full)
        self._no_throws: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<InboxCalls {self.client_id}>"

    @property
    def live(self) -> bool:
        """Whether there is a connection to the broker."""
        return self.sender.connected

    # -- what entities call

    async def request(
        self,
        route: bytes,
        body: bytes,
        timeout: float | None = None,
        idempotent: bool = False,
        key: str | None = None,
    ) -> bytes:
        deadline = self._deadline(timeout)
        ident = await self._enter(body, deadline, key)
        answer = self._requests[ident] = self._loop.create_future()
        try:
            self._send(ident, True, route, body, deadline, key)
            return await self._outcome(answer, deadline, "no answer in time")
        except asyncio.CancelledError:
            self.sender.forget(ident, cancel=True)
            raise
        except HandlerError as exc:
            if deadline is not None and deadline <= self._loop.time():
                # What the handler did not catch is, as like as not, that its time is over.
                raise RequestTimeout("no answer in time") from exc
            raise
        finally:
            del self._requests[ident]
            self._leave(ident, body)

    async def throw(
        self, route: bytes, body: bytes, timeout: float | None = None, key: str | None = None
    ) -> None:
        """Send a throw, and wait until the broker has it."""
        deadline = self._deadline(timeout)
        ident = await self._enter(body, deadline, key)
        taken = self._throws[ident] = self._loop.create_future()
        try:
            self._send(ident, False, route, body, deadline, key)
            await self._outcome(taken, deadline, "the broker did not confirm it in time; it may have it")
        finally:
            del self._throws[ident]
            self._leave(ident, body)
            if not self._throws and self._no_throws is not None:
                self._no_throws.set_result(None)
                self._no_throws = None

    # -- closing

    def refuse_calls(self, error: Exception) -> None:
        """From now on all calls raise *error*, and requests that wait; throws may still be confirmed."""
        self.closed = error
        for ident, answer in self._requests.items():
            self.sender.forget(ident, cancel=True)
            if not answer.done():
                answer.set_exception(error)
        self._room.notify()

    def end(self, reason: Reason) -> None:
        """Nothing that waits will be confirmed any more."""
        for taken in self._throws.values():
            if not taken.done():
                taken.set_exception(ConnectionLost(f"the broker did not confirm it: {reason.text}"))

    @property
    def settled(self) -> bool:
        """Whether the broker has all throws."""
        return not self._throws

    async def flushed(self) -> None:
        """Wait until the broker has all throws."""
        while self._throws:
            if self._no_throws is None:
                self._no_throws = self._loop.create_future()
            await asyncio.shield(self._no_throws)

    # -- the sender's reports

    def answered(self, ident: int, kind: int, body: bytes) -> None:
        answer = self._requests.get(ident)
        if answer is None or answer.done():
            return
        if kind == ANSWER and len(self._requests) == 1:
            set_result_now(answer, body)
        elif kind == ANSWER:
            answer.set_result(body)
        elif kind == DEAD:
            answer.set_exception(ConnectionLost(body.decode("utf-8", "replace"), sent=True))
        else:
            answer.set_exception(Failure.decode(kind, body).exception())

    def confirmed(self, ident: int) -> None:
        taken = self._throws.get(ident)
        if taken is not None and not taken.done():
            taken.set_result(None)

    def too_big(self, ident: int, text: str) -> None:
        call = self._requests.get(ident) or self._throws.get(ident)
        if call is not None and not call.done():
            call.set_exception(MessageTooBig(text))

    # -- one call

    def _deadline(self, timeout: float | None) -> float | None:
        deadline = inherited_deadline.get()
        if timeout is not None and timeout != NEVER:
            if math.isnan(timeout):
                raise ValueError("a timeout is a number of seconds, not nan")
            own = self._loop.time() + timeout
            deadline = own if deadline is None else min(deadline, own)
        if deadline is not None and deadline <= self._loop.time():
            raise RequestTimeout("the time was over before it was sent")
        return deadline

    async def _enter(self, body: bytes, deadline: float | None, key: str | None) -> int:
        """Wait for room, and return the number of the message."""
        if len(body) > self.limits.max_message:
            raise MessageTooBig(f"{len(body)} bytes; this side sends at most {self.limits.max_message}")
        if key is not None and not isinstance(key, str):
            raise TypeError(f"a key is a str, not {type(key).__name__}")
        if key is not None and not 0 < len(key.encode()) <= _LONGEST_KEY:
            raise ValueError(f"a key has 1 to {_LONGEST_KEY} bytes of UTF-8, not {key!r}")
        try:
            timeout = None if deadline is None else deadline - self._loop.time()
            await self._room.wait(lambda: self._take_room(body), timeout)
        except queue.Full as exc:
            raise RequestTimeout("no room in the outbox in time") from exc
        self._last += 1
        return self._last

    def _take_room(self, body: bytes) -> None:
        if self.closed is not None:
            raise self.closed.with_traceback(None)
        if self._under_way >= self.limits.outbox:
            raise queue.Full
        self._under_way += len(body) + MESSAGE_COST

    def _send(
        self, ident: int, is_request: bool, route: bytes, body: bytes, deadline: float | None, key: str | None
    ) -> None:
        expires = None
        if is_request and deadline is not None:
            expires = time.time() + deadline - self._loop.time()
        key = f"{self._keys}-{ident}" if key is None else key
        self.sender.send(Message(ident, is_request, route, body, key, self.client_id, expires))

    async def _outcome(self, future: asyncio.Future[T], deadline: float | None, text: str) -> T:
        if deadline is None:
            return await future
        alarm = self._loop.call_at(deadline, self._time_is_over, future, text)
        try:
            return await future
        finally:
            alarm.cancel()

    def _leave(self, ident: int, body: bytes) -> None:
        self.sender.forget(ident)
        self._under_way -= len(body) + MESSAGE_COST
        self._room.notify()

    def _time_is_over(self, future: asyncio.Future[T], text: str) -> None:
        if not future.done():
            obstacle = self.sender.obstacle
            future.set_exception(RequestTimeout(f"{text}: {obstacle}" if obstacle else text))
