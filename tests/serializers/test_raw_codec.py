"""Bytes as they are."""

from __future__ import annotations

from typing import Any

import pytest

from communica_like.serializers import JsonSerializer, RawSerializer


@pytest.mark.parametrize("data", [b"", b"bytes", bytearray(b"array"), memoryview(b"view")])
def test_there_and_back(data: Any) -> None:
    dumped = RawSerializer().dump(data)
    assert type(dumped) is bytes
    assert RawSerializer().load(dumped) == bytes(data)


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2]])
def test_nothing_else(data: Any) -> None:
    with pytest.raises(TypeError):
        RawSerializer().dump(data)


def test_equality() -> None:
    other: object = JsonSerializer()
    assert RawSerializer() == RawSerializer() != other
    assert hash(RawSerializer()) == hash(RawSerializer())
