"""Messages -> handlers -> responses: the one way in which handlers are run."""

from __future__ import annotations

import asyncio
import contextvars
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from functools import partial
from time import monotonic
from types import CoroutineType
from typing import Any, Final, Generic, NamedTuple, TypeVar

from ...session.events import REQUEST, Event
from .context import Context, inherited_deadline
from .handlers import Handler
from .responses import Missing, Responder, ResponseSink
from .tasks import FINISHED, SLOW, EagerTask, EagerTaskPool, enter_task, leave_task, warn_if_slow

_PLAIN: Final = frozenset((dict, list, str, int, float, bool, type(None), tuple, bytes))
"""The types of most results, which cannot be awaited."""

BURST: Final = 32
"""Requests, or responses, that are written together before work goes on."""

_SUSPENDED: Final = 0
"""In place of a message's kind: its handler has not ended."""

Ticket = TypeVar("Ticket")


class HandlerSet(NamedTuple):
    """The handlers of one life of an entity.

    Attributes:
        by_route: by encoded route; Simple entities have one, without a name.
        missing: returns the failure of a request whose route has no handler.
        pool: lends tasks to handlers that suspend.
    """

    by_route: Mapping[bytes, Handler]
    missing: Missing
    pool: EagerTaskPool


class HandlerRunner(ABC, Generic[Ticket]):
    """Runs the handlers of one backend: loads the data, calls, responds, cancels.

    A subclass says where messages come from, and what has to be done when they have been handled. It keeps
    that in a ticket for each handler that suspends.

    Args:
        handlers: what to run.
        sink: takes the responses.

    Attributes:
        closing: whether requests are rejected; throws are still handled.
    """

    def __init__(self, handlers: HandlerSet, sink: ResponseSink) -> None:
        self._handlers = handlers.by_route
        self._pool = handlers.pool
        self._responder = Responder(sink, handlers.missing)
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._base = contextvars.copy_context()
        self._base.run(inherited_deadline.set, None)
        self._tasks: dict[int, EagerTask] = {}
        self.closing = False

    def run(self, messages: Iterable[Event]) -> None:
        """Handle messages, of kind REQUEST or THROW, in order. Call it from the event loop, not in a task.

        Each handler runs until its first suspension before the next one begins.

        Raises:
            KeyboardInterrupt: it struck in a handler. All messages have been handled all the same.
        """
        loop, handlers, responder, pool = self._loop, self._handlers, self._responder, self._pool
        new_context = self._base.copy
        stream = iter(messages)
        requests = 0
        interrupt: KeyboardInterrupt | None = None
        began = monotonic()
        entered: asyncio.Task[None] | None = None  # whose coroutines run their first steps
        try:
            # One long loop, because each call in it would be paid for by every message.
            for kind, ident, budget, route, body in stream:
                handler = handlers.get(route)
                if kind == REQUEST:
                    requests += 1
                    if requests > BURST:
                        requests = 1
                        self._between_bursts(stream)
                    if self.closing and handler is not None:
                        responder.reject(ident)
                        continue
                if handler is None:
                    responder.no_handler(kind, ident, route)
                    continue
                try:
                    data = handler.load(body)
                except Exception as exc:
                    responder.load_failed(kind, ident, handler, exc)
                    continue
                context = new_context()
                deadline = None
                if budget:
                    deadline = self._now() + budget / 1000
                    context.run(inherited_deadline.set, deadline)
                try:
                    if handler.wants_context:
                        if entered is not None:
                            leave_task(loop, entered)
                            entered = None
                        result = context.run(handler.call, data, self._describe(ident, route, deadline))
                    elif handler.is_async:
                        result = handler.call(data)  # runs nothing yet
                    else:
                        if entered is not None:
                            leave_task(loop, entered)
                            entered = None
                        result = context.run(handler.call, data)
                    returned = type(result)
                    if returned is CoroutineType or (returned not in _PLAIN and hasattr(result, "__await__")):
                        coroutine = result if returned is CoroutineType else _awaiting(result)
                        host = pool.spare
                        if host is None or host.task.cancelling():
                            host = pool.park()
                        if host.task is not entered:
                            if entered is not None:
                                leave_task(loop, entered)
                            enter_task(loop, host.task)
                            entered = host.task
                        awaited = context.run(host.begin, coroutine)
                        if awaited is FINISHED:
                            result, host.result = host.result, None
                        else:
                            ticket = self._suspended(ident, route, body, deadline)
                            pool.taken(host, handler)
                            if ident:
                                self._tasks[ident] = host
                            host.adopt(context, awaited, partial(self._ended, handler, kind, ident, ticket))
                            kind = _SUSPENDED
                except BaseException as exc:
                    if entered is not None and pool.spare is not None:
                        pool.spare.renew()
                    responder.handler_failed(kind, ident, handler, exc)
                    if isinstance(exc, KeyboardInterrupt):
                        interrupt = exc
                else:
                    if kind == REQUEST:
                        responder.respond(ident, handler, result)
                now = monotonic()
                if now - began > SLOW:
                    warn_if_slow(handler, now - began)
                began = now
        finally:
            if entered is not None:
                leave_task(loop, entered)
        if interrupt is not None:
            raise interrupt

    # -- for subclasses

    @abstractmethod
    def _describe(self, ident: int, route: bytes, deadline: float | None) -> Context:
        """Return the context of a message."""

    def _between_bursts(self, rest: Iterator[Event]) -> None:
        """BURST requests were handled, and another one begins. What is taken out of *rest* is not handled."""

    @abstractmethod
    def _suspended(self, ident: int, route: bytes, body: bytes, deadline: float | None) -> Ticket:
        """A handler has suspended; return a ticket for ``_done``."""

    @abstractmethod
    def _cut_short(self, kind: int, ident: int, handler: Handler) -> None:
        """A suspended handler was cancelled because the entity closes; nothing was responded."""

    @abstractmethod
    def _done(self, ident: int, ticket: Ticket) -> None:
        """A handler that had suspended has ended."""

    def _cancel(self, ident: int) -> bool:
        """Cancel a suspended handler, without a response; return False if there is none."""
        host = self._tasks.pop(ident, None)
        if host is not None:
            host.cancel()
        return host is not None

    def _ended(
        self, handler: Handler, kind: int, ident: int, ticket: Ticket, host: EagerTask, result: Any,
        error: BaseException | None
    ) -> None:
        self._pool.ended(host)
        wanted = not ident or self._tasks.get(ident) is host
        if ident and wanted:
            del self._tasks[ident]
        cancelled = isinstance(error, asyncio.CancelledError)
        if cancelled and self.closing:
            if wanted:
                self._cut_short(kind, ident, handler)
        elif error is not None and (wanted or not cancelled):
            self._responder.handler_failed(kind, ident if wanted else 0, handler, error)
        elif wanted and kind == REQUEST:
            self._responder.respond(ident, handler, result)
        self._done(ident, ticket)


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
