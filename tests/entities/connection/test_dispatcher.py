"""Requests and throws -> handlers -> answers: exactly one for each request, whatever the handler does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from communica_like import (
    HandlerError,
    Limits,
    MessageTooBig,
    ReqError,
    RespError,
    Serializer,
    SerializerError,
)
from communica_like.serializers import JsonSerializer
from tests.entities.stage import eventually, logged, route_pair, simple_pair

BIG = 1 << 62


@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize("kind", [ReqError, RespError])
@pytest.mark.parametrize("code", [None, 0, 7, -7, BIG, -(1 << 63), (1 << 63) - 1])
async def test_errors_arrive_as_they_were_raised(
    kind: type[ReqError] | type[RespError], code: int | None, suspended: bool
) -> None:
    async def handler(data: Any) -> None:
        if suspended:
            await asyncio.sleep(0)
        raise kind("détail", code)

    async with simple_pair(handler) as (_, client):
        with pytest.raises(kind) as caught:
            await client.request(1)
        assert (caught.value.message, caught.value.code) == ("détail", code)


@pytest.mark.parametrize("code", [1 << 63, -(1 << 64), "text", 1.5])
async def test_codes_that_do_not_fit_are_told(code: Any) -> None:
    def handler(data: Any) -> None:
        error = ReqError("m")
        error.code = code
        raise error

    async with simple_pair(handler) as (_, client):
        with pytest.raises(ReqError) as caught:
            await client.request(1)
        assert caught.value.code is None
        assert repr(code) in caught.value.message


class Derived(RespError):
    def __init__(self) -> None:
        """It does not call its base."""


class BrokenRepr(Exception):
    def __repr__(self) -> str:
        raise KeyError("broken")


class BrokenText(ReqError):
    def __init__(self) -> None:
        super().__init__("hidden")

    def __getattribute__(self, name: str) -> Any:
        if name == "message":
            raise KeyError("broken")
        return super().__getattribute__(name)


class BrokenNotes(Exception):
    @property
    def __notes__(self) -> Any:  # type: ignore[override]
        raise KeyError("broken")


class Custom(BaseException):
    pass


def recurse(data: Any) -> Any:
    return recurse(data)


ERRORS: list[tuple[BaseException, type[Exception], str]] = [
    (ValueError("x"), HandlerError, r"ValueError\('x'\)"),
    (Derived(), RespError, "^$"),
    (SystemExit(3), HandlerError, r"SystemExit\(3\)"),
    (asyncio.CancelledError("own"), HandlerError, "CancelledError"),
    (GeneratorExit(), HandlerError, "GeneratorExit"),
    (StopIteration(5), HandlerError, "StopIteration"),
    (StopAsyncIteration(), HandlerError, "StopAsyncIteration"),
    (Custom("own"), HandlerError, r"Custom\('own'\)"),
    (BrokenRepr(), HandlerError, "BrokenRepr whose repr raised KeyError"),
    (BrokenNotes(), HandlerError, "BrokenNotes"),
    (BrokenText(), HandlerError, "BrokenText, whose description raised KeyError"),
    (ExceptionGroup("group", [ValueError(1)]), HandlerError, "ExceptionGroup"),
    (TimeoutError(), HandlerError, "TimeoutError"),
]


@pytest.mark.parametrize("steps", [None, 0, 1, 2], ids=["def", "first step", "later step", "third step"])
@pytest.mark.parametrize("error, kind, text", ERRORS, ids=[type(each[0]).__name__ for each in ERRORS])
async def test_whatever_is_raised_is_one_answer_and_the_server_goes_on(
    error: BaseException, kind: type[Exception], text: str, steps: int | None
) -> None:
    async def later(data: Any) -> Any:
        for _ in range(steps or 0):
            await asyncio.sleep(0)
        return at_once(data)

    def at_once(data: Any) -> Any:
        if data == "fail":
            raise error.with_traceback(None)
        return data

    async with simple_pair(at_once if steps is None else later) as (_, client):
        for _ in range(2):
            with pytest.raises(kind, match=text):
                await asyncio.wait_for(client.request("fail"), 40)
            assert await client.request("fine") == "fine"


@pytest.mark.parametrize("suspended", [False, True])
async def test_the_remote_traceback_begins_in_the_handler(suspended: bool) -> None:
    async def handler(data: Any) -> None:
        if suspended:
            await asyncio.sleep(0)
        raise ValueError("deep")

    async with simple_pair(handler) as (_, client):
        with pytest.raises(HandlerError) as caught:
            await client.request(1)
        lines = caught.value.traceback.splitlines()
        assert "in handler" in lines[1]
        assert lines[-1] == "ValueError: deep"
        assert "Remote traceback" in str(caught.value)


@pytest.mark.parametrize("size", [10_000, 10_000_000])
async def test_descriptions_too_large_are_cut(size: int) -> None:
    def handler(data: Any) -> None:
        raise ValueError("é" * size)

    async with simple_pair(handler, limits=Limits(max_message=1024)) as (_, client):
        with pytest.raises(HandlerError, match=r"ValueError\('é"):
            await asyncio.wait_for(client.request(1), 40)


async def test_endless_recursion() -> None:
    async with simple_pair(recurse) as (_, client):
        with pytest.raises(HandlerError, match="RecursionError"):
            await asyncio.wait_for(client.request(1), 40)


def test_a_keyboard_interrupt_ends_the_loop_after_the_answer() -> None:
    answers: list[Any] = []

    def handler(data: Any) -> Any:
        if data == "interrupt":
            raise KeyboardInterrupt
        return data

    async def main() -> None:
        async with simple_pair(handler) as (_, client):
            try:
                await client.request("interrupt")
            except HandlerError as exc:
                answers.append(exc.message)
                raise
            finally:
                answers.append(await client.request("fine") if answers else None)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


# -- serializers


class Picky(Serializer):
    """Fails where it is told to."""

    def dump(self, obj: Any, /) -> bytes:
        if obj == "undumpable":
            raise BrokenRepr
        if obj == "text":
            text: Any = "text"
            return text  # type: ignore[no-any-return]
        return JsonSerializer().dump(obj)

    def load(self, data: bytes, /) -> Any:
        if b"unloadable" in data:
            raise BrokenRepr
        return JsonSerializer().load(data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picky)

    def __hash__(self) -> int:
        return 1


@pytest.mark.parametrize("what", ["undumpable", "text"])
async def test_answers_that_do_not_dump(what: str, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(data: Any) -> Any:
        return what if data else "fine"

    async with simple_pair(handler, serializer=Picky()) as (_, client):
        with pytest.raises(RespError, match=r"handler cannot be dumped"):
            await asyncio.wait_for(client.request(1), 40)
        assert await client.request(0) == "fine"
    assert "cannot be dumped" in logged(caplog)


async def test_requests_that_do_not_load(caplog: pytest.LogCaptureFixture) -> None:
    async with simple_pair(lambda data: data, serializer=Picky()) as (_, client):
        with pytest.raises(SerializerError, match="cannot be loaded for"):
            await asyncio.wait_for(client.request("unloadable"), 40)
        await client.throw("unloadable")
        assert await client.request(0) == 0
        await eventually(lambda: "a throw failed" in logged(caplog))


async def test_requests_that_do_not_dump_are_not_sent() -> None:
    async with simple_pair(lambda data: data) as (_, client):
        with pytest.raises(SerializerError, match="cannot be dumped"):
            await client.request(object())
        with pytest.raises(SerializerError, match="cannot be dumped"):
            await client.throw({1, 2})
        assert await client.request(0) == 0


async def test_answers_too_big_for_the_requester(caplog: pytest.LogCaptureFixture) -> None:
    async with simple_pair(lambda data: "x" * data, limits=Limits(max_message=2048)) as (_, client):
        with pytest.raises(MessageTooBig, match="requester accepts 2048"):
            await client.request(4096)
        assert await client.request(3) == "xxx"
    assert "4098 bytes" in logged(caplog)


# -- throws


@pytest.mark.parametrize("suspended", [False, True])
async def test_a_failed_throw_is_logged_by_who_ran_it(
    caplog: pytest.LogCaptureFixture, suspended: bool
) -> None:
    async def handler(data: Any) -> None:
        if suspended:
            await asyncio.sleep(0)
        raise RespError("no good") if data else SystemExit(1)

    async with simple_pair(handler, handler) as (server, client):
        await client.throw(1)
        await client.throw(0)
        await server.throw(1, client_id=client.client_id)
        await eventually(lambda: logged(caplog).count("a throw failed in handler") == 3)
    assert logged(caplog).count("no good") == 2
    assert "SystemExit(1)" in logged(caplog)


async def test_an_unknown_route(caplog: pytest.LogCaptureFixture) -> None:
    async with route_pair() as (server, client):
        with pytest.raises(ReqError, match=r"no route 'n\{0\}'"):
            await client.request("n{0}", 1)
        with pytest.raises(ReqError, match="no route"):
            await server.request("x", 1)
        await client.throw("gone", 1)
        await eventually(lambda: "no route 'gone'" in logged(caplog))


async def test_no_handler_at_all(caplog: pytest.LogCaptureFixture) -> None:
    async with simple_pair() as (server, client):
        for asking in (client.request(1), server.request(1)):
            with pytest.raises(RespError, match="has no handler"):
                await asking
        await client.throw(1)
        await eventually(lambda: "has no handler" in logged(caplog))
