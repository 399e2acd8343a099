from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.serializers import JsonSerializer

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(ATOMS, lambda each: st.lists(each) | st.dictionaries(TEXT, each), max_leaves=20)


class Money:
    cents = 5


def to_cents(obj: Any) -> Any:
    if isinstance(obj, Money):
        return obj.cents
    raise TypeError("unknown")


@given(VALUES)
def test_roundtrip(value: object) -> None:
    serializer = JsonSerializer()
    data = serializer.dump(value)
    assert serializer.load(data) == value
    assert json.loads(data) == value


@given(st.binary())
def test_garbage(data: bytes) -> None:
    serializer = JsonSerializer()
    try:
        value = serializer.load(data)
    except ValueError:
        return
    assert serializer.load(serializer.dump(value)) == value


def test_form() -> None:
    assert JsonSerializer().dump({"ä": [1, None, True]}) == '{"ä":[1,null,true]}'.encode()
    assert JsonSerializer().dump((1, {2: 3})) == b'[1,{"2":3}]'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "\ud800", {"\udfff": 1}])
def test_not_dumpable(value: object) -> None:
    with pytest.raises(ValueError):
        JsonSerializer().dump(value)


def test_circular() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(ValueError):
        JsonSerializer().dump(value)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"NaN", b"[Infinity]", b"-Infinity", b"\xff", b'"\xed\xa0\x80"', b"1 2", b"\xef\xbb\xbf1",
        "1".encode("utf-16"), b"[" * 100_000,
    ],
)  # fmt: skip
def test_not_loadable(data: bytes) -> None:
    with pytest.raises(ValueError):
        JsonSerializer().load(data)


def test_what_the_standard_leaves_open() -> None:
    load = JsonSerializer().load
    assert load(b"1e999") == float("inf")
    assert load(b'"\\ud800"') == "\ud800"
    assert load(b'{"a":1,"a":2}') == {"a": 2}


def test_default() -> None:
    assert JsonSerializer(to_cents).dump([Money()]) == b"[5]"
    with pytest.raises(TypeError, match="unknown"):
        JsonSerializer(default=to_cents).dump(object())
    with pytest.raises(TypeError):
        JsonSerializer().dump(Money())
    with pytest.raises(TypeError):
        JsonSerializer(to_cents).dump({(1, 2): 1})


def test_codecs() -> None:
    for codec in (JsonSerializer().request_codec(), JsonSerializer().response_codec()):
        assert codec.load(codec.dump({"a": 1})) == {"a": 1}


def test_equality() -> None:
    class Other(JsonSerializer):
        pass

    assert JsonSerializer() == JsonSerializer()
    assert JsonSerializer(to_cents) == JsonSerializer(to_cents) != JsonSerializer()
    assert hash(JsonSerializer(to_cents)) == hash(JsonSerializer(to_cents))
    assert JsonSerializer() != Other()
    assert JsonSerializer() != object()
    assert len({JsonSerializer(), JsonSerializer(), Other()}) == 2
