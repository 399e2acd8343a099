"""Results and exceptions of handlers -> responses for requesters, records for the log."""

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

Missing = Callable[[str], Failure]

logger = logging.getLogger("communica_like.handlers")


class ResponseSink(Protocol):
    """Where responses go: a session, or the dispatcher of an inbox."""

    @property
    def peer_limits(self) -> Limits:
        """The limits of the requester."""

    def answer(self, ident: int, body: bytes, /) -> None:
        """Send a result."""

    def fail(self, ident: int, failure: Failure, /) -> None:
        """Send a failure."""


class Responder:
    """Responds to requests, and logs failed throws.

    Args:
        sink: takes the responses.
        missing: returns the failure of a request for an unknown route; Simple entities' is ``""``.
    """

    def __init__(self, sink: ResponseSink, missing: Missing) -> None:
        self._sink = sink
        self._missing = missing

    def respond(self, ident: int, handler: Handler, result: Any) -> None:
        """Send what the handler returned."""
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
        limit = self._sink.peer_limits.max_message
        if len(body) > limit:
            text = f"the answer of {handler.name} has {len(body)} bytes; the requester accepts {limit}"
            logger.error("%s", text)
            self._fail(ident, Failure(TOO_BIG, text))
            return
        self._sink.answer(ident, body)

    def handler_failed(self, kind: int, ident: int, handler: Handler, error: BaseException) -> None:
        """Send what the handler raised; log it if *ident* is 0, or if it is no error of the requester."""
        failure = _failure_of(error)
        if kind == REQUEST and ident:
            self._fail(ident, failure)
            if failure.kind == UNKNOWN:
                # An error that cannot be described cannot be logged with a traceback either.
                shown = error if failure.traceback else None
                logger.error("handler %s raised %s", handler.name, failure.message, exc_info=shown)
        else:
            what = "a request that was given up" if kind == REQUEST else "a throw"
            shown = error if _remote_traceback(error) else None
            logger.error("%s failed in handler %s: %s", what, handler.name, failure.message, exc_info=shown)

    def load_failed(self, kind: int, ident: int, handler: Handler, error: Exception) -> None:
        """Send that the data cannot be loaded; log it for a throw."""
        text = f"the data cannot be loaded for {handler.name}: {_failure_of(error).message}"
        if kind == REQUEST:
            self._fail(ident, Failure(SERIALIZER, text))
        else:
            logger.error("a throw failed: %s", text)

    def no_handler(self, kind: int, ident: int, route: bytes) -> None:
        """Send that no handler has this route; log it for a throw."""
        failure = self._missing(route.decode("utf-8", "replace"))
        if kind == REQUEST:
            self._fail(ident, failure)
        else:
            logger.error("a throw failed: %s", failure.message)

    def reject(self, ident: int) -> None:
        """Send that the entity is closing, and the request is not handled."""
        self._fail(ident, Failure(CLOSING, "the other side is closing"))

    def _fail(self, ident: int, failure: Failure) -> None:
        limit = self._sink.peer_limits.max_message
        if len(failure.message) + len(failure.traceback) > limit // 8:
            # It might not fit even into the largest message that the other side accepts.
            size = max(limit // 64, 16)
            failure = failure._replace(message=failure.message[:size], traceback=failure.traceback[-size:])
        self._sink.fail(ident, failure)


def _failure_of(error: BaseException) -> Failure:
    try:
        expected = isinstance(error, ReqError | RespError)
        return Failure.of(error, "" if expected else _remote_traceback(error))
    except Exception as exc:
        # An exception whose description fails must not cost the requester its response.
        name, why = type(error).__qualname__, type(exc).__qualname__
        return Failure(UNKNOWN, f"<{name}, whose description raised {why}>")


def _remote_traceback(error: BaseException) -> str:
    # Begin with the handler's own frames: those of this library tell the requester nothing.
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None and _is_ours(frames.tb_frame):
        frames = frames.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception:
        return ""  # broken by user code, such as a __notes__ that raises


def _is_ours(frame: FrameType) -> bool:
    return f"{frame.f_globals.get('__name__')}.".startswith("communica_like.")
