from __future__ import annotations

from typing import Any

import pytest

from communica_like import RouteOverrideError, RouteTable
from communica_like.entities.routes import encode_route
from communica_like.serializers import JsonSerializer
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
        table.add_route("b", lambda: None)
    assert list(table) == ["a"]


def test_names() -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match="text"):
        encode_route(wrong)
    for name in ("", "x" * 65536, "\udc80"):
        with pytest.raises(ValueError):
            encode_route(name)
    assert len(encode_route("x" * 65535)) == 65535
