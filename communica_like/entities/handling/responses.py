"""What becomes of a handler's result, or of its exception: answers for requesters, lines for the log."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from ...exceptions import ReqError, RespError
from ...session.events import REQUEST
from ...wire.failure import CLOSING, RESP, SERIALIZER, TOO_BIG, UNKNOWN, Failure
from ...wire.limits import Limits
from .handlers import Handler

__all__ = ["Missing", "Responder", "ResponseSink"]

Missing = Callable[[str], Failure]

logger = logging.getLogger("communica_like.handlers")


class ResponseSink(Protocol):
    """What answers go to: a session, or whatever stands in for one."""

    @property
    def peer_limits(self) -> Limits:
        """What the requester takes."""

    def answer(self, ident: int, body: bytes, /) -> None:
        """Send a result."""

    def fail(self, ident: int, failure: Failure, /) -> None:
        """Say that there is none, and why."""


class Responder:
    """Responder the other side's requests; logs what goes wrong with its throws.

    Args:
        session: gets the answers.
        missing: returns the failure for a route that has no handler; Simple entities' is ``""``.
    """

    def __init__(self, session: ResponseSink, missing: Missing) -> None:
        self._session = session
        self._missing = missing

    def give(self, ident: int, handler: Handler, result: Any) -> None:
        """The handler returned *result*."""
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

    def handler_failed(self, kind: int, ident: int, handler: Handler, error: BaseException) -> None:
        """The handler raised *error*; *ident* is 0 if nobody waits for an answer."""
        failure = _failure_of(error)
        if kind == REQUEST and ident:
            self._fail(ident, failure)
            if failure.kind == UNKNOWN:
                # Who cannot be described cannot be logged with a traceback either.
                shown = error if failure.traceback else None
                logger.error("handler %s raised %s", handler.name, failure.message, exc_info=shown)
        else:
            what = "a request that nobody waits for" if kind == REQUEST else "a throw"
            shown = error if _remote_traceback(error) else None
            logger.error("%s failed in handler %s: %s", what, handler.name, failure.message, exc_info=shown)

    def load_failed(self, kind: int, ident: int, handler: Handler, error: Exception) -> None:
        """The data could not be loaded for the handler."""
        text = f"the data cannot be loaded for {handler.name}: {_failure_of(error).message}"
        if kind == REQUEST:
            self._fail(ident, Failure(SERIALIZER, text))
        else:
            logger.error("a throw failed: %s", text)

    def no_handler(self, kind: int, ident: int, route: bytes) -> None:
        """Tell the requester, or the log, that *route* has no handler."""
        failure = self._missing(route.decode("utf-8", "replace"))
        if kind == REQUEST:
            self._fail(ident, failure)
        else:
            logger.error("a throw failed: %s", failure.message)

    def turn_away(self, ident: int) -> None:
        """The entity is closing; the request is not handled."""
        self._fail(ident, Failure(CLOSING, "the other side is closing"))

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
    return f"{frame.f_globals.get('__name__')}.".startswith("communica_like.")
