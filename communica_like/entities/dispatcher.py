"""Requests and throws of the other side -> handlers -> answers."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import CoroutineType, FrameType
from typing import Any, Final

from ..abc import PeerIdentity
from ..exceptions import ReqError, RespError
from ..session import Session
from ..session.events import REQUEST
from ..wire.failure import CLOSING, REQ, RESP, SERIALIZER, TOO_BIG, UNKNOWN, Failure
from .context import Context, inherited_deadline
from .handlers import Handler
from .host_pool import SLOW, HostPool, warn_if_slow
from .task_host import TaskHost

__all__ = ["Dispatcher"]

logger = logging.getLogger("communica_like.handlers")

_PLAIN: Final = frozenset((dict, list, str, int, float, bool, type(None), tuple, bytes))
"""What handlers mostly return, and what surely cannot be awaited."""


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
        self._began = 0.0
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
        try:
            if handler.wants_context:
                result = context.run(handler.function, data, self._describe(route, deadline))
            elif handler.is_async:
                result = handler.function(data)  # which runs nothing yet
            else:
                result = context.run(handler.function, data)
            kind_of = type(result)
            if kind_of is CoroutineType or (kind_of not in _PLAIN and hasattr(result, "__await__")):
                coroutine = result if kind_of is CoroutineType else _awaiting(result)
                host = self._pool.spare
                if host is None or host.gate.done() or host.task.cancelling():
                    host = self._pool.park()
                try:
                    host.first_step(coroutine, context)
                except StopIteration as stop:
                    result = stop.value
                else:
                    self._pool.taken(host, handler)
                    self._follow(host, handler, kind, ident, route, body)
                    self._clock_handler(handler)
                    return False
        except BaseException as exc:
            self._handler_failed(kind, ident, handler, exc)
            if isinstance(exc, KeyboardInterrupt):
                raise
        else:
            if kind == REQUEST:
                self._answer(ident, handler, result)
        now = time.monotonic()
        if now - self._began > SLOW:
            warn_if_slow(handler, now - self._began)
        self._began = now
        return True

    def begin(self) -> None:
        """Messages come now, one after another: the time of the first handler begins."""
        self._began = time.monotonic()

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
        cancelled = isinstance(error, asyncio.CancelledError)
        if cancelled and self.closing:
            # By close(). No answer: the session ends, which tells the requester that the outcome is unknown.
            if kind != REQUEST:
                logger.error("a throw in handler %s was cut short: the entity is closed", handler.name)
        elif error is not None and (wanted or not cancelled):
            self._handler_failed(kind, ident if wanted else 0, handler, error)
        elif wanted and kind == REQUEST:
            self._answer(ident, handler, result)
        if epoch == self._epoch:
            self._session.handled(cost)
        self._on_answer()

    def _clock_handler(self, handler: Handler) -> None:
        now = time.monotonic()
        warn_if_slow(handler, now - self._began)
        self._began = now

    def _answer(self, ident: int, handler: Handler, result: Any) -> None:
        try:
            body = handler.dump(result)
            if type(body) is not bytes:
                raise TypeError(f"dump returned {type(body).__qualname__}, not bytes")
        except Exception as exc:
            text = f"the answer of {handler.name} cannot be dumped: {_failure_of(exc).message}"
            self._fail(ident, Failure(RESP, text))
            shown = exc if _remote_traceback(exc) else None
            logger.error("%s; it is a %s", text, type(result).__qualname__, exc_info=shown)
            return
        limit = self._session.peer_limits.max_message
        if len(body) > limit:
            text = f"the answer of {handler.name} has {len(body)} bytes; the requester accepts {limit}"
            logger.error("%s", text)
            self._fail(ident, Failure(TOO_BIG, text))
            return
        self._session.answer(ident, body)

    def _handler_failed(self, kind: int, ident: int, handler: Handler, error: BaseException) -> None:
        failure = _failure_of(error)
        if kind == REQUEST and ident:
            self._fail(ident, failure)
            if failure.kind not in (REQ, RESP):
                # Who cannot be described cannot be logged with a traceback either.
                shown = error if failure.traceback else None
                logger.error("handler %s raised %s", handler.name, failure.message, exc_info=shown)
        else:
            what = "a request that nobody waits for" if kind == REQUEST else "a throw"
            shown = error if _remote_traceback(error) else None
            logger.error("%s failed in handler %s: %s", what, handler.name, failure.message, exc_info=shown)

    def _load_failed(self, kind: int, ident: int, handler: Handler, error: Exception) -> bool:
        text = f"the data cannot be loaded for {handler.name}: {_failure_of(error).message}"
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


def _failure_of(error: BaseException) -> Failure:
    try:
        expected = isinstance(error, ReqError | RespError)
        return Failure.of(error, "" if expected else _remote_traceback(error))
    except Exception as exc:
        # User code that cannot even be described must not cost the requester its answer.
        name, why = type(error).__qualname__, type(exc).__qualname__
        return Failure(UNKNOWN, f"<{name}, whose description raised {why}>")


def _remote_traceback(error: BaseException) -> str:
    # From the handler's own frames on: those of this library would tell the requester nothing.
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None and _is_ours(frames.tb_frame):
        frames = frames.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception:
        return ""  # broken by user code, such as a __notes__ that raises


def _is_ours(frame: FrameType) -> bool:
    return frame.f_globals.get("__package__") == __package__


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable

