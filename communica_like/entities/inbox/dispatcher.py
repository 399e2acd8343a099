"""Messages out of a shared inbox -> handlers -> responses and acknowledgements."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from dataclasses import replace
from typing import Final

from ...abc.inbox import ANSWER, Delivery
from ...session.events import REQUEST, THROW
from ...wire.failure import Failure
from ...wire.limits import KIB, Limits
from ..handling.context import Context
from ..handling.handlers import Handler
from ..handling.runner import HandlerRunner, HandlerSet

logger = logging.getLogger("communica_like.handlers")

_TURN_TIME: Final = 0.005  # after which responses go out before the next handler begins
_SUSPECT_DELIVERIES: Final = 2  # after which a message is suspected of ending servers


class InboxDispatcher(HandlerRunner[asyncio.TimerHandle | None]):
    """Runs the handlers of one server for what it takes out of an inbox.

    Messages that came back repeatedly are handled one at a time, in random order. One of them may be what
    kills servers: then the others are not under way with it each time, until they are put aside with it.

    A message is known by the ``id`` of its delivery. A ticket is the timer of its deadline.

    Args:
        handlers: what to run.
        limits: ``max_message`` bounds responses.
    """

    def __init__(self, handlers: HandlerSet, limits: Limits) -> None:
        super().__init__(handlers, self)
        self.peer_limits = limits
        self._begun: dict[int, Delivery] = {}
        self._ready: deque[Delivery] = deque()
        self._suspects: list[Delivery] = []
        self._suspect: Delivery | None = None
        self._scheduled = False

    # -- for the consumer

    def take(self, delivery: Delivery) -> None:
        """Handle a message, soon."""
        if (delivery.deliveries or 0) >= _SUSPECT_DELIVERIES:
            self._suspects.append(delivery)
        elif self._scheduled or self.closing or asyncio.current_task() is not None:
            self._ready.append(delivery)
        else:
            # The first one at once; those that came with it after that, in the loop's next turn.
            self._schedule()
            self._begin(delivery)
            return
        self._schedule()

    def cancel(self, delivery: Delivery) -> None:
        """Stop handling a message: the requester has stopped waiting."""
        if self._cancel(id(delivery)):
            return
        for waiting in (self._ready, self._suspects):
            if delivery in waiting:
                waiting.remove(delivery)
                delivery.ack()

    def largest_answer(self, size: int) -> None:
        """Turn larger responses into failures, which tell the requester."""
        limits = self.peer_limits
        self.peer_limits = replace(limits, max_message=max(1 * KIB, min(size, limits.max_message)))

    # -- for the server

    def give_back(self) -> None:
        """Leave what has not begun to other servers. As long as more is taken, it would come here again."""
        for delivery in (*self._ready, *self._suspects):
            delivery.requeue()
        self._ready.clear()
        self._suspects.clear()

    # -- one message

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Begin what is ready; after a while, let others have a turn."""
        self._scheduled = False
        if self.closing:
            return
        began = time.monotonic()
        while self._ready:
            self._begin(self._ready.popleft())
            if time.monotonic() - began > _TURN_TIME:
                self._schedule()
                return
        if self._suspects and self._suspect is None:
            # One in each turn: the acknowledgement of one is written before the next may be the end.
            self._suspect = self._suspects.pop(random.randrange(len(self._suspects)))
            self._begin(self._suspect)

    def _begin(self, delivery: Delivery) -> None:
        message, ident, budget = delivery.message, id(delivery), 0
        self._begun[ident] = delivery
        if message.expires is not None:
            left = message.expires - time.time()
            if left <= 0:
                self._ack(ident)  # the requester has stopped waiting
                return
            budget = max(1, round(left * 1000))
        kind = REQUEST if message.wants_answer else THROW
        try:
            self.run([(kind, ident, budget, message.route, message.body)])
        finally:
            if ident not in self._tasks:
                self._ack(ident)

    def _ack(self, ident: int, kind: int = ANSWER, body: bytes | None = None) -> None:
        if ident in self._begun:
            self._end(ident).ack(kind, body)

    def _end(self, ident: int) -> Delivery:
        delivery = self._begun.pop(ident)
        if delivery is self._suspect:
            self._suspect = None
            if self._suspects:
                self._schedule()
        return delivery

    # -- the responder's sink

    def answer(self, ident: int, body: bytes) -> None:
        self._ack(ident, ANSWER, body)

    def fail(self, ident: int, failure: Failure) -> None:
        self._ack(ident, failure.kind, failure.encode())

    # -- HandlerRunner's hooks

    def _describe(self, ident: int, route: bytes, deadline: float | None) -> Context:
        delivery = self._begun[ident]
        return Context(
            route.decode(),
            delivery.message.client_id,
            delivery.peer,
            deadline,
            self._now,
            key=delivery.message.key,
            redelivered=delivery.redelivered,
            deliveries=delivery.deliveries,
        )

    def _suspended(
        self, ident: int, route: bytes, body: bytes, deadline: float | None
    ) -> asyncio.TimerHandle | None:
        return None if deadline is None else self._loop.call_at(deadline, self._cancel, ident)

    def _cut_short(self, kind: int, ident: int, handler: Handler) -> None:
        logger.warning("handler %s was cut short: the server is closed", handler.name)
        self._end(ident).requeue()

    def _done(self, ident: int, ticket: asyncio.TimerHandle | None) -> None:
        if ticket is not None:
            ticket.cancel()
        self._ack(ident)
