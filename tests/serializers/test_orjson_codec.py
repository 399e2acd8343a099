from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.serializers import JsonSerializer, OrjsonSerializer

orjson = pytest.importorskip("orjson")

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(ATOMS, lambda each: st.lists(each) | st.dictionaries(TEXT, each), max_leaves=20)


def to_text(obj: Any) -> Any:
    return "text"


@given(VALUES)
def test_roundtrip(value: object) -> None:
    serializer = OrjsonSerializer()
    assert serializer.load(serializer.dump(value)) == value
    assert JsonSerializer().load(serializer.dump(value)) == value
    assert serializer.load(JsonSerializer().dump(value)) == value


def test_codecs_are_orjson_itself() -> None:
    for codec in (OrjsonSerializer().request_codec(), OrjsonSerializer().response_codec()):
        assert codec.dump is orjson.dumps
        assert codec.load is orjson.loads


def test_default_and_option() -> None:
    serializer = OrjsonSerializer(to_text, orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    for dump in (serializer.dump, serializer.request_codec().dump, serializer.response_codec().dump):
        assert dump({"b": object(), "a": 1}) == b'{"a":1,"b":"text"}'
        assert dump({1: 2}) == b'{"1":2}'
    assert OrjsonSerializer(default=to_text).request_codec().dump(object()) == b'"text"'
    assert OrjsonSerializer(option=orjson.OPT_APPEND_NEWLINE).request_codec().dump(1) == b"1\n"


def test_subclass_is_not_gone_past() -> None:
    class Framed(OrjsonSerializer):
        def dump(self, obj: Any, /) -> bytes:
            return b"!" + super().dump(obj)

        def load(self, data: bytes, /) -> Any:
            return super().load(data[1:])

    for codec in (Framed().request_codec(), Framed().response_codec()):
        assert codec.dump(1) == b"!1"
        assert codec.load(b"!1") == 1


def test_what_it_says_of_types() -> None:
    @dataclass
    class Point:
        x: int

    serializer = OrjsonSerializer()
    assert serializer.dump([Point(1), float("nan"), -float("inf")]) == b'[{"x":1},null,null]'
    assert isinstance(serializer.load(str(2**70).encode()), float)


@pytest.mark.parametrize("value", [object(), {1: 2}, 2**64, "\ud800"])
def test_not_dumpable(value: object) -> None:
    with pytest.raises(TypeError):
        OrjsonSerializer().dump(value)


@pytest.mark.parametrize("data", [b"", b"{", b"NaN", b"\xff", b"1 2", b"[" * 100_000])
def test_not_loadable(data: bytes) -> None:
    with pytest.raises(ValueError):
        OrjsonSerializer().load(data)


def test_equality() -> None:
    class Other(OrjsonSerializer):
        pass

    assert OrjsonSerializer() == OrjsonSerializer()
    assert OrjsonSerializer(to_text, 1) == OrjsonSerializer(to_text, 1)
    assert hash(OrjsonSerializer(to_text, 1)) == hash(OrjsonSerializer(to_text, 1))
    assert OrjsonSerializer(option=1) != OrjsonSerializer() != OrjsonSerializer(to_text)
    assert OrjsonSerializer() != Other()
    other: object = JsonSerializer()
    assert OrjsonSerializer() != other
