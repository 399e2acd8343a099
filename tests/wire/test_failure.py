from __future__ import annotations

from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.exceptions import (
    CommunicaError,
    ConnectionLost,
    HandlerError,
    MessageTooBig,
    NoSuchRoute,
    ReqError,
    RespError,
    SerializerError,
)
from communica_like.wire.failure import CLOSING, NO_ROUTE, REQ, RESP, SERIALIZER, TOO_BIG, UNKNOWN, Failure

INT64 = 1 << 63


class Status(IntEnum):
    NOT_FOUND = 404


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Mute(Exception):
    def __repr__(self) -> str:
        raise ZeroDivisionError


class Terse(ReqError):
    def __init__(self) -> None:
        pass


@pytest.mark.parametrize("code", [None, 0, -5, INT64 - 1, -INT64, True, Status.NOT_FOUND])
@pytest.mark.parametrize(
    "error_type, kind", [(ReqError, REQ), (RespError, RESP), (NoSuchRoute, NO_ROUTE)]
)
def test_what_a_handler_raises_on_purpose_is_told_with_its_code(
    error_type: type[ReqError | RespError], kind: int, code: int | None
) -> None:
    failure = Failure.of(error_type("wrong", code), "a traceback")
    assert failure == Failure(kind, "wrong", code)
    assert type(failure.code) in (int, type(None))


@pytest.mark.parametrize("code", [INT64, -INT64 - 1, "E404", 1.5])
def test_a_code_that_does_not_fit_goes_into_the_message(code: object) -> None:
    error = ReqError("wrong")
    error.code = code  # type: ignore[assignment]
    failure = Failure.of(error)
    assert failure == Failure(REQ, f"wrong [code {code!r} is no 64-bit integer]")


def test_anything_else_is_told_as_its_repr_and_traceback() -> None:
    assert Failure.of(KeyError("x"), "a traceback") == Failure(UNKNOWN, "KeyError('x')", None, "a traceback")


def test_errors_that_cannot_be_told_are_told_all_the_same() -> None:
    assert Failure.of(Mute()).message == "<Mute whose repr raised ZeroDivisionError>"
    error = ReqError(Unspeakable())  # type: ignore[arg-type]
    error.code = Unspeakable()  # type: ignore[assignment]
    message = Failure.of(error).message
    assert message.startswith("<Unspeakable whose str raised RuntimeError>")
    assert "<Unspeakable whose repr raised RuntimeError>" in message
    assert Failure.of(Terse()) == Failure(REQ, "")


@pytest.mark.parametrize(
    "kind, error_type",
    [
        (REQ, ReqError),
        (RESP, RespError),
        (UNKNOWN, HandlerError),
        (SERIALIZER, SerializerError),
        (TOO_BIG, MessageTooBig),
        (CLOSING, ConnectionLost),
        (NO_ROUTE, NoSuchRoute),
        (99, HandlerError),
    ],
)
def test_each_kind_is_raised_as_an_exception_of_its_own(kind: int, error_type: type[CommunicaError]) -> None:
    error = Failure(kind, "text").exception()
    assert type(error) is error_type
    assert error.args[0] == "text"


def test_exceptions_keep_what_was_told() -> None:
    for kind in (REQ, RESP, NO_ROUTE):
        error = Failure(kind, "text", 7).exception()
        assert isinstance(error, ReqError | RespError)
        assert (error.message, error.code) == ("text", 7)
    unknown = Failure(UNKNOWN, "text", 7, "a traceback").exception()
    assert isinstance(unknown, HandlerError)
    assert (unknown.message, unknown.code, unknown.traceback) == ("text", 7, "a traceback")
    closing = Failure(CLOSING, "text").exception()
    assert isinstance(closing, ConnectionLost)
    assert closing.sent is False


@given(
    kind=st.integers(1, 7),
    message=st.text(max_size=20),
    code=st.none() | st.integers(-INT64, INT64 - 1),
    traceback=st.text(max_size=20),
)
def test_a_failure_arrives_as_it_was_sent(kind: int, message: str, code: int | None, traceback: str) -> None:
    failure = Failure(kind, message, code, traceback)
    assert Failure.decode(kind, failure.encode()) == failure


def test_text_that_is_no_unicode_is_escaped() -> None:
    assert Failure.decode(REQ, Failure(REQ, "a\udc80b").encode()).message == "a\\udc80b"


def test_no_body_is_unreadable() -> None:
    assert Failure.decode(REQ, b"short") == Failure(
        UNKNOWN, "the other side sent an unreadable error: b'short'"
    )
    # A message size beyond the body, and text that is no UTF-8.
    body = bytes(9) + b"\xff\xff\xff\xff" + b"ab\xff"
    assert Failure.decode(RESP, body) == Failure(RESP, "ab\ufffd")
