"""The body of an ERROR frame: how a request failed on the other side."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple, Self

from ..exceptions import (
    CommunicaError,
    ConnectionLost,
    HandlerError,
    MessageTooBig,
    NoSuchRoute,
    ReqError,
    RespError,
    SerializerError,
)

# The ``arg`` of an ERROR frame.
REQ: Final = 1
RESP: Final = 2
UNKNOWN: Final = 3
SERIALIZER: Final = 4
TOO_BIG: Final = 5
CLOSING: Final = 6
NO_ROUTE: Final = 7

_RAISED: Final = {REQ: ReqError, RESP: RespError, NO_ROUTE: NoSuchRoute}
"""What handlers raise, with a code of their own."""

_HEAD: Final = Struct("!BqI")
_INT64: Final = 1 << 63


class Failure(NamedTuple):
    """One failure: its kind, the code and message that the handler gave, and the traceback's text."""

    kind: int
    message: str
    code: int | None = None
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException, traceback: str = "") -> Self:
        """Return what the requester is to be told of *error*."""
        if isinstance(error, ReqError | RespError):
            kind = next(kind for kind in (NO_ROUTE, RESP, REQ) if isinstance(error, _RAISED[kind]))
            message, code = _safely(str, error.message), error.code
            if isinstance(code, int) and -_INT64 <= code < _INT64:
                return cls(kind, message, int(code))
            if code is not None:
                message += f" [code {_safely(repr, code)} is no 64-bit integer]"
            return cls(kind, message)
        return cls(UNKNOWN, _safely(repr, error), None, traceback)

    def exception(self) -> CommunicaError:
        """Return the exception that the requester is to raise."""
        if (raised := _RAISED.get(self.kind)) is not None:
            return raised(self.message, self.code)
        if self.kind == SERIALIZER:
            return SerializerError(self.message)
        if self.kind == TOO_BIG:
            return MessageTooBig(self.message)
        if self.kind == CLOSING:
            return ConnectionLost(self.message, sent=False)
        return HandlerError(self.message, self.code, self.traceback)

    def encode(self) -> bytes:
        """Return the frame's body: has-code u8, code i64, message size u32, message, traceback (UTF-8)."""
        message = self.message.encode("utf-8", "backslashreplace")
        head = _HEAD.pack(self.code is not None, self.code or 0, len(message))
        return head + message + self.traceback.encode("utf-8", "backslashreplace")

    @classmethod
    def decode(cls, kind: int, body: bytes) -> Self:
        """Return the failure in *body*; a body that is no such thing becomes an UNKNOWN failure."""
        if len(body) < _HEAD.size:
            return cls(UNKNOWN, f"the other side sent an unreadable error: {body[:64]!r}")
        has_code, code, size = _HEAD.unpack_from(body)
        message = body[_HEAD.size : _HEAD.size + size].decode("utf-8", "replace")
        traceback = body[_HEAD.size + size :].decode("utf-8", "replace")
        return cls(kind, message, code if has_code else None, traceback)


def _safely(text_of: Callable[[object], str], obj: object) -> str:
    try:
        return text_of(obj)
    except Exception as exc:
        # A broken __repr__ or __str__ in user code must not cost the requester its answer.
        return f"<{type(obj).__qualname__} whose {text_of.__name__} raised {type(exc).__qualname__}>"
