from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest

from communica_like import RouteOverrideError, RouteTable, threaded_handler
from communica_like.entities.routes import encode_route, no_such_route
from communica_like.serializers import JsonSerializer
from communica_like.wire.failure import NO_ROUTE
from tests.entities.stage import echo
from tests.entities.test_simple import Upper


def test_a_table() -> None:
    table = RouteTable("mine")

    @table.handler("é")
    def handler(data: Any) -> Any:
        return data

    assert handler(5) == 5
    table.add_route("b", echo, Upper())
    assert list(table) == ["é", "b"]
    assert len(table) == 2
    assert "é" in table
    assert "x" not in table
    assert 5 not in table
    assert repr(table) == "<RouteTable mine with 2 routes>"
    assert table.serializer_of("é") == JsonSerializer()
    assert isinstance(table.serializer_of("b"), Upper)
    assert table.serializer_of("x") is None
    assert RouteTable().name == "unnamed"


def test_a_route_twice() -> None:
    table = RouteTable("mine")
    table.add_route("a", echo)
    with pytest.raises(RouteOverrideError, match=r"'a' is already served by .*echo in table 'mine'"):
        table.handler("a")(echo)
    with pytest.raises(TypeError, match="takes"):
        table.add_route("b", lambda a, b, c: None)
    assert list(table) == ["a"]


def test_the_functions_name_is_the_route() -> None:
    table = RouteTable("mine")

    @table.handler
    def bare(data: Any) -> Any:
        return data

    @table.handler()
    async def called(data: Any) -> Any:
        return data

    @table.handler(serializer=Upper())
    @threaded_handler
    def threaded(data: Any) -> Any:
        return data

    assert list(table) == ["bare", "called", "threaded"]
    assert (bare(1), threaded.__name__) == (1, "threaded")
    assert isinstance(table.serializer_of("threaded"), Upper)
    with pytest.raises(RouteOverrideError, match="'bare'"):
        table.handler(bare)


class Nameless:
    def __call__(self, data: Any) -> Any:
        return data


@pytest.mark.parametrize(
    "function",
    [Nameless(), partial(echo), lambda data: data, threaded_handler(partial(echo))],
    ids=["object", "partial", "lambda", "thread"],
)
def test_functions_without_a_name_need_a_route(function: Any) -> None:
    table = RouteTable("mine")
    for register in (table.handler, table.handler()):
        with pytest.raises(TypeError, match=r"give its route one, as in table\.handler\('name'\)"):
            register(function)
    table.handler("name")(function)
    assert list(table) == ["name"]


def test_what_is_no_route() -> None:
    table = RouteTable("mine")
    wrong: list[Any] = [5, b"name", ["name"], JsonSerializer()]
    for each in wrong:
        with pytest.raises(TypeError, match="name is a str, not"):
            table.handler(each)
        with pytest.raises(TypeError, match="is callable"):
            table.handler("name")(each)
        with pytest.raises(TypeError, match="is callable"):
            table.handler()(each)
    with pytest.raises(ValueError, match="1 to 65535 bytes"):
        table.handler("")


def test_the_nearest_routes_are_named() -> None:
    table = RouteTable()
    for route in ("user.get", "user.remove", "user.rename", "report"):
        table.add_route(route, echo)

    def text(route: str) -> str:
        failure = no_such_route(table, "Server", route)
        assert (failure.kind, failure.code) == (NO_ROUTE, 404)
        return failure.message

    assert text("user.removes").startswith(
        "the other side has no route 'user.removes'; the nearest are 'user.remove', 'user.rename'"
    )
    assert text("reportt") == "the other side has no route 'reportt'; the nearest is 'report'"
    assert text("xyz") == "the other side has no route 'xyz'"
    table.add_route("xyzzy", echo)
    assert text("xyz").endswith("the nearest is 'xyzzy'")


def test_what_is_said_of_a_missing_route_is_bounded_and_found_soon() -> None:
    table = RouteTable()
    for number in range(2000):
        table.add_route(f"{'ab' * 25}{number}", echo)
        table.add_route("a" * (1000 + number), echo)
    for route in ("ab" * 25, "a" * 65535, "a" * 1000):
        began = time.monotonic()
        assert len(no_such_route(table, "Server", route).message) < 400
        assert time.monotonic() - began < 1


def test_names() -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match="is a str"):
        encode_route(wrong)
    for name in ("", "x" * 65536, "\udc80"):
        with pytest.raises(ValueError):
            encode_route(name)
    assert len(encode_route("x" * 65535)) == 65535
