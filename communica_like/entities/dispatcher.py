"""Requests and throws of the other side -> handlers -> answers."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import CoroutineType
from typing import Any

from ..abc import PeerIdentity
from ..session import Session
from ..session.events import REQUEST
from ..wire.failure import CLOSING, REQ, RESP, SERIALIZER, TOO_BIG, Failure
from .context import Context, inherited_deadline
from .handlers import Handler
from .host_pool import SLOW, HostPool, warn_if_slow
from .task_host import TaskHost

__all__ = ["Dispatcher"]

logger = logging.getLogger("communica_like.handlers")

class Dispatcher:
    """Runs the handlers of one peer.

    Args:
        session: gets the answers.
        handlers: by encoded route; Simple entities have one, without a name.
        missing: what to tell who asks for an unknown route; may hold ``{route}``.
        pool: lends tasks to handlers that suspend.
        on_answer: called when an answer was given outside of ``dispatch``.

    Attributes:
        closing: requests are turned away; throws are still handled, for they are acknowledged.
    """

    def __init__(
        self,
        session: Session,
        handlers: Mapping[bytes, Handler],
        missing: Failure,
        client_id: str,
        pool: HostPool,
        on_answer: Callable[[], None],
    ) -> None:
        self._session = session
        self._handlers = handlers
        self._missing = missing
        self._client_id = client_id
        self._on_answer = on_answer
        self._pool = pool
        self._now = asyncio.get_running_loop().time
        self._base = contextvars.copy_context()
        self._base.run(inherited_deadline.set, None)
        self._requests: dict[int, TaskHost] = {}
        self._epoch = 0
        self.peer: PeerIdentity | None = None
        self.closing = False

    def dispatch(self, kind: int, ident: int, budget: int, route: bytes, body: bytes) -> bool:
        """Handle one message; return whether it is done with. If not, its credit is returned later.

        Raises:
            KeyboardInterrupt: it struck in the handler; the requester has its answer.
        """
        handler = self._handlers.get(route)
        if handler is None or (self.closing and kind == REQUEST):
            return self._turn_away(kind, ident, route)
        try:
            data = handler.load(body)
        except Exception as exc:
            return self._load_failed(kind, ident, handler, exc)
        context = self._base.copy()
        deadline = None
        if budget:
            deadline = self._now() + budget / 1000
            context.run(inherited_deadline.set, deadline)
        began = time.monotonic()
        try:
            if handler.wants_context:
                result = context.run(handler.function, data, self._describe(route, deadline))
            else:
                result = context.run(handler.function, data)
            if hasattr(result, "__await__"):
                coroutine = result if type(result) is CoroutineType else _awaiting(result)
                host = self._pool.parked()
                try:
                    host.first_step(coroutine, context)
                except StopIteration as stop:
                    result = stop.value
                else:
                    self._pool.taken(host, handler)
                    self._follow(host, handler, kind, ident, route, body)
                    warn_if_slow(handler, time.monotonic() - began)
                    return False
        except BaseException as exc:
            self._handler_failed(kind, ident, handler, exc)
            if isinstance(exc, KeyboardInterrupt):
                raise
        else:
            if kind == REQUEST:
                self._answer(ident, handler, result)
        took = time.monotonic() - began
        if took > SLOW:
            warn_if_slow(handler, took)
        return True

    def cancel(self, ident: int) -> None:
        """The requester does not wait any more."""
        host = self._requests.pop(ident, None)
        if host is not None:
            host.cancel()
        else:
            self._session.drop_answer(ident)

    def forget_session(self) -> None:
        """The session is over: nobody waits for answers. Handlers of throws go on."""
        self._epoch += 1
        requests = list(self._requests.values())
        self._requests.clear()
        for host in requests:
            host.cancel()

    # -- inside

    def _describe(self, route: bytes, deadline: float | None) -> Context:
        assert self.peer is not None
        return Context(route.decode(), self._client_id, self.peer, deadline, self._now)

    def _follow(
        self, host: TaskHost, handler: Handler, kind: int, ident: int, route: bytes, body: bytes
    ) -> None:
        if kind == REQUEST:
            self._requests[ident] = host
        # The body is not kept alive by its handler: its size is all that its credit needs.
        host.adopt(partial(self._on_done, self._epoch, handler, kind, ident, self._session.cost(route, body)))

    def _on_done(
        self,
        epoch: int,
        handler: Handler,
        kind: int,
        ident: int,
        cost: tuple[int, int],
        host: TaskHost,
        result: Any,
        error: BaseException | None,
    ) -> None:
        self._pool.ended(host)
        wanted = epoch == self._epoch and (kind != REQUEST or self._requests.pop(ident, None) is host)
        if error is not None and (wanted or not isinstance(error, asyncio.CancelledError)):
            self._handler_failed(kind, ident if wanted else 0, handler, error)
        elif wanted and kind == REQUEST:
            self._answer(ident, handler, result)
        if epoch == self._epoch:
            self._session.handled(cost)
        self._on_answer()

    def _answer(self, ident: int, handler: Handler, result: Any) -> None:
        try:
            body = handler.dump(result)
        except Exception as exc:
            logger.exception("the answer of handler %s cannot be dumped: %.200r", handler.name, result)
            self._fail(ident, Failure(RESP, f"the answer of {handler.name} cannot be dumped: {exc!r}"))
            return
        limit = self._session.peer_limits.max_message
        if len(body) > limit:
            text = f"the answer of {handler.name} has {len(body)} bytes; the requester accepts {limit}"
            logger.error("%s", text)
            self._fail(ident, Failure(TOO_BIG, text))
            return
        self._session.answer(ident, body)

    def _handler_failed(self, kind: int, ident: int, handler: Handler, error: BaseException) -> None:
        failure = Failure.of(error, _remote_traceback(error))
        if kind == REQUEST and ident:
            if failure.kind not in (REQ, RESP):
                logger.error("handler %s raised %s", handler.name, failure.message, exc_info=error)
            self._fail(ident, failure)
        else:
            logger.error("a throw failed in handler %s: %s", handler.name, failure.message, exc_info=error)

    def _load_failed(self, kind: int, ident: int, handler: Handler, error: Exception) -> bool:
        text = f"the data cannot be loaded for {handler.name}: {error!r}"
        if kind == REQUEST:
            self._fail(ident, Failure(SERIALIZER, text))
        else:
            logger.error("a throw failed: %s", text)
        return True

    def _turn_away(self, kind: int, ident: int, route: bytes) -> bool:
        name = route.decode("utf-8", "replace")
        if self.closing and kind == REQUEST:
            self._fail(ident, Failure(CLOSING, "the other side is closing"))
            return True
        failure = self._missing._replace(message=self._missing.message.format(route=name))
        if kind == REQUEST:
            self._fail(ident, failure)
        else:
            logger.error("a throw failed: %s", failure.message)
        return True

    def _fail(self, ident: int, failure: Failure) -> None:
        limit = self._session.peer_limits.max_message
        if len(failure.message) + len(failure.traceback) > limit // 8:
            # So large that even the other side's largest message might not hold it.
            size = max(limit // 64, 16)
            failure = failure._replace(message=failure.message[:size], traceback=failure.traceback[-size:])
        self._session.fail(ident, failure)


def _remote_traceback(error: BaseException) -> str:
    # From the handler's own frames on: those of this library would tell the requester nothing.
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None and frames.tb_frame.f_globals is globals():
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable

