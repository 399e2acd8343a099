"""Any object, in the protocol that was asked for, and never for an entity."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from communica_like import MemoryConnector, RouteTable, SimpleClient, SimpleServer
from communica_like.serializers import JsonSerializer, PickleSerializer


@pytest.mark.parametrize("item", [None, {1, 2}, (1, [2]), b"bytes", object, 1 + 2j, {"a": None}])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_there_and_back(item: Any, protocol: int) -> None:
    data = PickleSerializer(protocol).dump(item)
    assert data == pickle.dumps(item, protocol)
    assert PickleSerializer().load(data) == item


@pytest.mark.parametrize("protocol", [-1, pickle.HIGHEST_PROTOCOL + 1])
def test_protocols(protocol: int) -> None:
    with pytest.raises(ValueError, match="pickle has protocols 0 to"):
        PickleSerializer(protocol)


def test_equality() -> None:
    assert PickleSerializer(1) == PickleSerializer(1) != PickleSerializer(2)
    assert hash(PickleSerializer(1)) == hash(PickleSerializer(1))
    other: object = JsonSerializer()
    assert PickleSerializer() != other


def test_entities_refuse_it() -> None:
    connector = MemoryConnector()
    with pytest.raises(TypeError, match="any code of its sender"):
        SimpleServer(connector, print, PickleSerializer())
    with pytest.raises(TypeError, match="not for entities"):
        SimpleClient(connector, serializer=PickleSerializer(1))
    with pytest.raises(TypeError, match="not for entities"):
        RouteTable().add_route("route", print, PickleSerializer())
