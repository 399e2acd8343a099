from __future__ import annotations

from typing import Any

import pytest

from communica_like import RouteTable
from communica_like.entities import routes
from communica_like.entities.routes import RouteCalls
from communica_like.serializers import JsonSerializer
from tests.entities.stage import echo
from tests.entities.test_simple import Upper


def test_which_serializer_a_route_uses() -> None:
    up = Upper()
    table = RouteTable(serializer=(default := JsonSerializer(default=str)))
    table.add_route("served", echo, up)
    calls = RouteCalls(table)
    assert calls.find("served", None)[1].serializer is up
    assert calls.find("served", up)[0] == b"served"
    assert calls.find("other", None)[1].serializer is default
    assert calls.find("other", JsonSerializer(default=str))[1].serializer is default
    assert calls.find("third", up)[1].serializer is up
    assert calls.find("third", None)[1].serializer is up


@pytest.mark.parametrize("known", [False, True])
def test_another_serializer_is_refused(known: bool) -> None:
    table = RouteTable()
    table.add_route("served", echo, Upper())
    calls = RouteCalls(table)
    if known:
        calls.find("served", None)
    with pytest.raises(TypeError, match="'served' uses"):
        calls.find("served", JsonSerializer())
    wrong: Any = Upper
    with pytest.raises(TypeError, match="serializer is expected"):
        calls.find("served", wrong)


def test_names_that_are_made_up_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_MAX_KNOWN", 3)
    calls = RouteCalls(RouteTable())
    for number in range(20):
        calls.find(str(number), None)
        assert len(calls._known) <= 3
