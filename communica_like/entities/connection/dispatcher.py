"""Requests and throws of one session -> handlers -> responses, within its credit."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from ...abc import PeerIdentity
from ...session import Event, Session
from ...session.events import REQUEST
from ..handling.context import Context
from ..handling.handlers import Handler
from ..handling.runner import HandlerRunner, HandlerSet

logger = logging.getLogger("communica_like.handlers")

Cost = tuple[int, int]


class Dispatcher(HandlerRunner[tuple[int, Cost]]):
    """Runs the handlers of one session.

    What has not been handled is held: see ``Session.hold``. A ticket is the number of the session and the
    cost of the message.

    Args:
        session: where messages come from, and responses go to.
        handlers: what to run.
        client_id: for contexts.
        write: writes the responses that were given.
        on_response: called when a handler that had suspended has ended.

    Attributes:
        peer: the other end of the last link.
        backlog: messages that wait until there is room for more responses.
    """

    def __init__(
        self, session: Session, handlers: HandlerSet, client_id: str, write: Callable[[], None],
        on_response: Callable[[], None]
    ) -> None:
        super().__init__(handlers, session)
        self._session = session
        self._client_id = client_id
        self._write = write
        self._on_response = on_response
        self._epoch = 0
        self.peer: PeerIdentity | None = None
        self.backlog: deque[Event] = deque()

    def dispatch(self, messages: Sequence[Event]) -> None:
        """Handle messages in order, as far as there is room for responses. See ``run``."""
        if self.backlog or self._session.congested:
            self._put_off(messages)
        else:
            self.run(messages)

    def work_off(self) -> None:
        """Handle the backlog, as far as there is room. See ``run``."""
        messages = list(self.backlog)
        self.backlog.clear()
        cost = self._cost(messages)
        try:
            self.dispatch(messages)
        finally:
            self._session.handled(cost)

    def cancel(self, ident: int) -> None:
        """Cancel a request: the requester has stopped waiting."""
        if self._cancel(ident):
            return
        for message in self.backlog:
            if message[1] == ident and message[0] == REQUEST:
                self.backlog.remove(message)
                self._session.handled(self._session.cost(message[3], message[4]))
                return
        self._session.drop_answer(ident)

    def forget_session(self) -> None:
        """Cancel all requests, because the session has ended. Handlers of throws go on."""
        self._epoch += 1
        self.backlog.clear()
        for ident in list(self._tasks):
            self._cancel(ident)

    def _put_off(self, messages: Sequence[Event]) -> None:
        self.backlog.extend(messages)
        self._session.hold(self._cost(messages))

    def _cost(self, messages: Iterable[Event]) -> Cost:
        costs = [self._session.cost(route, body) for _, _, _, route, body in messages]
        return sum(small for small, _ in costs), sum(large for _, large in costs)

    # -- HandlerRunner's hooks

    def _between_bursts(self, rest: Iterator[Event]) -> None:
        self._write()
        if self._session.congested:
            self._put_off(list(rest))

    def _describe(self, ident: int, route: bytes, deadline: float | None) -> Context:
        assert self.peer is not None
        return Context(route.decode(), self._client_id, self.peer, deadline, self._now)

    def _suspended(self, ident: int, route: bytes, body: bytes, deadline: float | None) -> tuple[int, Cost]:
        cost = self._session.cost(route, body)
        self._session.hold(cost)
        return self._epoch, cost

    def _cut_short(self, kind: int, ident: int, handler: Handler) -> None:
        # A requester is not answered: the session ends, which tells it that the outcome is unknown.
        if kind != REQUEST:
            logger.error("a throw in handler %s was cut short: the entity is closed", handler.name)

    def _done(self, ident: int, ticket: tuple[int, Cost]) -> None:
        epoch, cost = ticket
        if epoch == self._epoch:
            self._session.handled(cost)
        self._on_response()
