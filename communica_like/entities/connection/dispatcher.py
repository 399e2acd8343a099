"""Requests and throws of the other side -> handlers -> answers."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from time import monotonic
from types import CoroutineType
from typing import Any, Final, NamedTuple

from ...abc import PeerIdentity
from ...session import Event, Session
from ...session.events import REQUEST
from ..handling.context import Context, inherited_deadline
from ..handling.handlers import Handler
from ..handling.responses import Responder
from ..handling.tasks import FINISHED, SLOW, EagerTask, EagerTaskPool, enter_task, leave_task, warn_if_slow
from .writer import BURST

__all__ = ["Dispatcher"]

logger = logging.getLogger("communica_like.handlers")

_PLAIN: Final = frozenset((dict, list, str, int, float, bool, type(None), tuple, bytes))
"""What handlers mostly return, and what surely cannot be awaited."""

_SUSPENDED: Final = 0
"""In place of a message's kind: its handler is not done."""


class _Ticket(NamedTuple):
    """What is to be done when a suspended handler ends."""

    epoch: int
    handler: Handler
    kind: int
    ident: int
    cost: tuple[int, int]


class Dispatcher:
    """Runs the handlers of one peer.

    Args:
        session: whose messages these are.
        handlers: by encoded route; Simple entities have one, without a name.
        answers: gets the results.
        pool: lends tasks to handlers that suspend.
        write: writes the answers that were given.
        on_answer: called when a handler that was suspended has ended.

    Attributes:
        peer: who is at the other end.
        closing: requests are turned away; throws are still handled, for they are acknowledged.
        backlog: messages that wait until there is room for more answers.
    """

    def __init__(
        self,
        session: Session,
        handlers: Mapping[bytes, Handler],
        answers: Responder,
        client_id: str,
        pool: EagerTaskPool,
        write: Callable[[], None],
        on_answer: Callable[[], None],
    ) -> None:
        self._session = session
        self._handlers = handlers
        self._responder = answers
        self._client_id = client_id
        self._write = write
        self._on_answer = on_answer
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._base = contextvars.copy_context()
        self._base.run(inherited_deadline.set, None)
        self._requests: dict[int, EagerTask] = {}
        self._epoch = 0
        self.peer: PeerIdentity | None = None
        self.closing = False
        self.backlog: deque[Event] = deque()

    def dispatch(self, messages: Iterable[Event]) -> None:
        """Handle messages in order. To be called from the event loop, never inside of a task.

        Those that are not done with are held: see ``Session.hold``.

        Raises:
            KeyboardInterrupt: it struck in a handler. All messages have been handled all the same.
        """
        session, handlers, answers, pool = self._session, self._handlers, self._responder, self._pool
        loop = self._loop
        stream = iter(messages)
        if self.backlog or session.congested:
            self._put_off(stream)
            return
        new_context = self._base.copy
        burst = 0
        interrupt: KeyboardInterrupt | None = None
        began = monotonic()
        entered: asyncio.Task[None] | None = None  # whose coroutines run their first steps
        try:
            # One long loop, because each call in it would be paid for by every message.
            for kind, ident, budget, route, body in stream:
                if kind == REQUEST:
                    burst += 1
                    if burst > BURST:
                        burst = 1
                        self._write()
                        if self._session.congested:
                            self._put_off(((kind, ident, budget, route, body), *stream))
                            break
                handler = handlers.get(route)
                if handler is None:
                    answers.no_handler(kind, ident, route)
                    continue
                if self.closing and kind == REQUEST:
                    answers.turn_away(ident)
                    continue
                try:
                    data = handler.load(body)
                except Exception as exc:
                    answers.load_failed(kind, ident, handler, exc)
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
                        result = context.run(handler.call, data, self._describe(route, deadline))
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
                            ticket = _Ticket(self._epoch, handler, kind, ident, session.cost(route, body))
                            session.hold(ticket.cost)
                            self._follow(ticket, host, context, awaited)
                            kind = _SUSPENDED
                except BaseException as exc:
                    if entered is not None and pool.spare is not None:
                        pool.spare.renew()
                    answers.handler_failed(kind, ident, handler, exc)
                    if isinstance(exc, KeyboardInterrupt):
                        interrupt = exc
                else:
                    if kind == REQUEST:
                        answers.give(ident, handler, result)
                now = monotonic()
                if now - began > SLOW:
                    warn_if_slow(handler, now - began)
                began = now
        finally:
            if entered is not None:
                leave_task(loop, entered)
        if interrupt is not None:
            raise interrupt

    def work_off(self) -> None:
        """Handle the backlog, as far as there is room. To be called like ``dispatch``."""
        messages = list(self.backlog)
        self.backlog.clear()
        cost = self._cost(messages)
        try:
            self.dispatch(messages)
        finally:
            self._session.handled(cost)

    def cancel(self, ident: int) -> None:
        """The requester does not wait any more."""
        host = self._requests.pop(ident, None)
        if host is not None:
            host.cancel()
            return
        for message in self.backlog:
            if message[1] == ident and message[0] == REQUEST:
                self.backlog.remove(message)
                self._session.handled(self._session.cost(message[3], message[4]))
                return
        self._session.drop_answer(ident)

    def forget_session(self) -> None:
        """The session is over: nobody waits for answers. Handlers of throws go on."""
        self._epoch += 1
        self.backlog.clear()
        requests = list(self._requests.values())
        self._requests.clear()
        for host in requests:
            host.cancel()

    # -- inside

    def _put_off(self, messages: Iterable[Event]) -> None:
        put_off = list(messages)
        self.backlog.extend(put_off)
        self._session.hold(self._cost(put_off))

    def _cost(self, messages: Iterable[Event]) -> tuple[int, int]:
        costs = [self._session.cost(route, body) for _, _, _, route, body in messages]
        return sum(small for small, _ in costs), sum(large for _, large in costs)

    def _describe(self, route: bytes, deadline: float | None) -> Context:
        assert self.peer is not None
        return Context(route.decode(), self._client_id, self.peer, deadline, self._now)

    def _follow(
        self,
        ticket: _Ticket,
        host: EagerTask,
        context: contextvars.Context,
        awaited: Any,
    ) -> None:
        self._pool.taken(host, ticket.handler)
        if ticket.kind == REQUEST:
            self._requests[ticket.ident] = host
        host.adopt(context, awaited, partial(self._on_done, ticket))

    def _on_done(self, ticket: _Ticket, host: EagerTask, result: Any, error: BaseException | None) -> None:
        _, handler, kind, ident, cost = ticket
        current = ticket.epoch == self._epoch
        self._pool.ended(host)
        wanted = current and (kind != REQUEST or self._requests.pop(ident, None) is host)
        cancelled = isinstance(error, asyncio.CancelledError)
        if cancelled and self.closing:
            # By close(). No answer: the session ends, which tells the requester that the outcome is unknown.
            if kind != REQUEST:
                logger.error("a throw in handler %s was cut short: the entity is closed", handler.name)
        elif error is not None and (wanted or not cancelled):
            self._responder.handler_failed(kind, ident if wanted else 0, handler, error)
        elif wanted and kind == REQUEST:
            self._responder.give(ident, handler, result)
        if current:
            self._session.handled(cost)
        self._on_answer()


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
