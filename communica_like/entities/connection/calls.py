"""Requests and throws of this side, into a session, and the results that come back."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ...aio.eager import set_result_now
from ...aio.timer import clock_of
from ...aio.waiters import Waiters
from ...exceptions import ConnectionLost, HandlerError, RequestTimeout
from ...session import Event, Session
from ..backends import Channel
from ..handling.context import deadline_after, inherited_deadline
from ..handling.runner import BURST
from .writer import THROW_BURST, Writer

T = TypeVar("T")


def set_results_now(results: Sequence[Event], at_once: bool) -> None:
    """Set the results of the futures in these RESULT events, in order.

    A task that waits for one goes on at once: see ``set_result_now``. Inside of a task no other task's step
    can be run: there it is ``set_result`` alone.

    Args:
        at_once: False for ``set_result`` alone.

    Raises:
        KeyboardInterrupt, SystemExit: a task's step did. The other results are set all the same.
    """
    at_once = at_once and asyncio.current_task() is None
    try:
        for _, future, _, _, body in results:
            if future.done():
                continue  # cancelled
            if at_once:
                set_result_now(future, body)
            else:
                future.set_result(body)
    except BaseException:
        for _, future, _, _, body in results:
            if not future.done():
                future.set_result(body)
        raise


class SessionCalls(Channel):
    """The calls of one side of a session.

    Args:
        session: where they go.
        writer: writes what the session has to send.
        keep: whether there may be a next session; only then idempotent requests are sent again.
        arm: sets the session's timer, if a deadline is earlier.

    Attributes:
        closed: what calls raise when this side is closed or will have no other session; else None.
        waiting: how many callers wait for room.
        flush_waiter: what ``flushed`` waits for, if there is such a call.
        obstacle: why there is no link, for a RequestTimeout; ``""``: it is unknown.
        alone: whether requests seem to be made one at a time: then they are written at once.
    """

    def __init__(self, session: Session, writer: Writer, keep: bool, arm: Callable[[], None]) -> None:
        self._session = session
        self._writer = writer
        self._keep = keep
        self._arm = arm
        self._loop = asyncio.get_running_loop()
        self._time = clock_of(self._loop)
        # What waits for room in the outbox. Large requests hold up no small ones.
        self._requests = Waiters(queue.Full)
        self._large_requests = Waiters(queue.Full)
        self._throws = Waiters(queue.Full)
        self.waiting = 0
        self.flush_waiter: asyncio.Future[None] | None = None
        self.closed: Exception | None = None
        self.obstacle: Callable[[], str] = str
        self.alone = True

    @property
    def live(self) -> bool:
        return self._writer.link is not None

    async def request(
        self, route: bytes, body: bytes, timeout: float | None = None, idempotent: bool = False,
        key: str | None = None
    ) -> bytes:
        session = self._session
        idempotent = idempotent and self._keep
        future: asyncio.Future[bytes] = self._loop.create_future()
        now = 0.0
        deadline = inherited_deadline.get() if timeout is None else deadline_after(timeout, self._time())
        if deadline is not None:
            now = self._time()
            if deadline <= now:
                raise RequestTimeout("the time was over before it was sent")
        if self.closed is not None:
            raise self.closed.with_traceback(None)
        ident = 0
        if not self._requests.waiting:
            ident = session.request(future, route, body, now, deadline, idempotent)
        if not ident:
            ident = await self._request_in_turn(future, route, body, deadline, idempotent)
        if deadline is not None:
            self._arm()
        if self.alone and len(session.pending) == 1 and not self._writer.held:
            self._writer.flush()
        else:
            self._writer.written(len(body), BURST)
        try:
            return await future
        except asyncio.CancelledError:
            # Cancel the handler, too. If its response is here already, nothing happens.
            session.cancel(ident)
            self._writer.written(0, BURST)
            raise
        except HandlerError as exc:
            if deadline is not None and deadline <= self._time():
                # Most likely the handler failed because its own deadline passed.
                raise RequestTimeout("no answer in time") from exc
            raise
        finally:
            if deadline is not None or idempotent:
                session.release(ident)

    def throw(
        self, route: bytes, body: bytes, timeout: float | None = None, key: str | None = None
    ) -> Coroutine[Any, Any, None] | None:
        if self.closed is not None:
            raise self.closed.with_traceback(None)
        if (self.waiting and self._throws.waiting) or not self._session.throw(route, body, 0.0):
            return self._throw_in_turn(route, body, timeout)
        self._writer.written(len(body), THROW_BURST)
        return None

    @property
    def settled(self) -> bool:
        return self._session.flushed

    async def flushed(self) -> None:
        if self._session.flushed:
            return
        waiter = self.flush_waiter
        if waiter is None:
            waiter = self.flush_waiter = self._loop.create_future()
        if self.live:
            self._session.ask_for_ack()
            self._writer.flush()
        await asyncio.shield(waiter)

    # -- for the driver

    def check_flushed(self) -> None:
        """Wake ``flushed`` if all is delivered."""
        if self.flush_waiter is not None and self._session.flushed:
            self.flush_waiter.set_result(None)
            self.flush_waiter = None

    def late(self, unsent: bool) -> RequestTimeout:
        """Return what a request raises whose deadline has passed. *unsent*: it was certainly not sent."""
        obstacle = "" if self.live else self.obstacle()
        if not obstacle:
            return RequestTimeout("no answer in time")
        return RequestTimeout(f"{'not sent' if unsent else 'no answer in time'}: {obstacle}")

    def notify(self) -> None:
        """Let the callers that wait for room try."""
        for waiters in (self._requests, self._large_requests, self._throws):
            waiters.notify()

    def refuse(self, error: Exception) -> None:
        """Make all calls raise *error*, waiting ones too; still deliver what was thrown."""
        self.closed = error
        self._fail_pending(lambda ident: error)
        self.notify()
        self._writer.written(0, BURST)

    def fail_waiting(self, text: str, cause: Exception) -> None:
        """Make requests that wait for a session raise ConnectionLost; throws still wait for one."""

        def error(ident: int) -> ConnectionLost:
            error = ConnectionLost(text, sent=self._session.was_sent_before(ident))
            error.__cause__ = cause
            return error

        self._fail_pending(error)

    def end_session(self, text: str, *, keep: bool) -> int:
        """End the session and its requests; return how many throws were lost.

        Args:
            text: why, for the exceptions.
            keep: whether there may be a next session, for what was not accepted.
        """
        self._keep = keep
        lost = self._session.end(keep=keep)
        for futures, sent in ((lost.unknown, True), (lost.unsent, False)):
            for future in futures:
                if not future.done():
                    future.set_exception(self.closed or ConnectionLost(text, sent=sent))
        if not keep and self.closed is None:
            # Callers that wait for room must not write to a session that never comes.
            self.closed = ConnectionLost(text, sent=False)
        return lost.throws

    # -- inside

    def _fail_pending(self, error: Callable[[int], Exception]) -> None:
        for ident, future in list(self._session.pending.items()):
            if not future.done():
                future.set_exception(error(ident))
            self._session.cancel(ident)

    async def _request_in_turn(
        self, future: asyncio.Future[bytes], route: bytes, body: bytes, deadline: float | None,
        idempotent: bool
    ) -> int:
        def attempt() -> int:
            if self.closed is not None:
                raise self.closed.with_traceback(None)
            now = self._time() if deadline is not None else 0.0
            if not (ident := self._session.request(future, route, body, now, deadline, idempotent)):
                raise queue.Full
            return ident

        small = len(body) <= self._session.agreed.chunk
        return await self._wait_for_room(self._requests if small else self._large_requests, attempt, deadline)

    async def _throw_in_turn(self, route: bytes, body: bytes, timeout: float | None) -> None:
        def attempt() -> None:
            if self.closed is not None:
                raise self.closed.with_traceback(None)
            if not self._session.throw(route, body, 0.0):
                raise queue.Full

        await self._wait_for_room(self._throws, attempt, deadline_after(timeout, self._time()))
        self._writer.written(len(body), THROW_BURST)

    async def _wait_for_room(self, waiters: Waiters, attempt: Callable[[], T], deadline: float | None) -> T:
        self.waiting += 1
        try:
            return await waiters.wait(attempt, None if deadline is None else deadline - self._time())
        except queue.Full as exc:
            obstacle = "" if self.live else self.obstacle()
            text = "no room in the outbox in time"
            raise RequestTimeout(f"{text}: {obstacle}" if obstacle else text) from exc
        finally:
            self.waiting -= 1
