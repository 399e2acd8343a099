from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, Protocol, TypedDict, TypeVar, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.serializers.likeness import find_difference, model_classes


@dataclass
class Point:
    x: Any
    parent: Any = None


@dataclass(slots=True)
class Slotted:
    x: Any


@dataclass
class Sub(Point):
    y: int = 0


class Pair(NamedTuple):
    x: Any


class Typed(TypedDict):
    x: int


class Shape(Protocol):
    x: int


class LikeAttrs:
    @dataclass
    class _Attribute:
        name: str

    __slots__ = ("x",)
    __attrs_attrs__ = (_Attribute("x"),)

    def __init__(self, x: object) -> None:
        self.x = x


class LikePydantic:
    __pydantic_fields__: dict[str, object] = {"x": None}

    def __init__(self, x: object) -> None:
        self.x = x


@pytest.mark.parametrize(
    ("model", "classes"),
    [
        (Point, (Point,)),
        (None, (NoneType,)),
        (list[int], (list,)),
        (Sequence[int], (Sequence,)),
        (float, (float, int)),
        (complex, (complex, float, int)),
        (int | None, (int, NoneType)),
        (Optional[int], (int, NoneType)),  # noqa: UP045
        (Union[int, list[str]], (int, list)),  # noqa: UP007
        (Annotated[list[int], 1], (list,)),
        (NewType("UserId", int), (int,)),
        (Typed, (dict,)),
        (Any, (object,)),
        (Literal["a"], (object,)),
        (Shape, (object,)),
        (TypeVar("T"), (object,)),
    ],
)
def test_model_classes(model: Any, classes: tuple[type, ...]) -> None:
    assert model_classes(model) == classes


@pytest.mark.parametrize(
    ("sent", "loaded", "difference"),
    [
        ("ab", ["a", "b"], "str would arrive as list"),
        (b"ab", (97, 98), "bytes would arrive as tuple"),
        ({"a": 1}, ["a"], "dict would arrive as list"),
        ({"a": 1}, {"a"}, "dict would arrive as set"),
        (Slotted(1), Point(1), "Slotted would arrive as Point"),
        (Point(1), Slotted(1), "Point would arrive as Slotted"),
        ((1,), Point(1), "tuple would arrive as Point"),
        ([1], Pair(1), "list would arrive as Pair"),
        (Point(1), LikeAttrs(1), "Point would arrive as LikeAttrs"),
        (Point("ab"), Point(["a", "b"]), "x: str would arrive as list"),
        (Slotted("ab"), Slotted(["a", "b"]), "x: str would arrive as list"),
        (LikeAttrs("ab"), LikeAttrs(["a", "b"]), "x: str would arrive as list"),
        (LikePydantic("ab"), LikePydantic(["a", "b"]), "x: str would arrive as list"),
        ([1, "ab"], [1, ["a", "b"]], "[1]: str would arrive as list"),
        ({"{k}": ["ab"]}, {"{k}": [["a"]]}, "['{k}'][0]: str would arrive as list"),
        (Point([{"k": Point("ab")}]), Point([{"k": Point(["a"])}]), "x[0]['k'].x: str would arrive as list"),
        ((1, 2), [1, 2], None),
        ({1, 2}, [1, 2], None),
        (iter([1]), (1,), None),
        ([1, 1], {1}, None),
        (OrderedDict(a=1), {"a": 1}, None),
        ({"a": 1, "b": "x"}, {"a": 1}, None),
        ({}, {"a": 1}, None),
        (Sub(1), Point(1), None),
        (Point(1), Sub(1), None),
        (1, 1.0, None),
        (datetime(2020, 1, 1), date(2020, 1, 1), None),
        (5, "5", None),
    ],
)
def test_find_difference(sent: Any, loaded: Any, difference: str | None) -> None:
    assert find_difference(sent, loaded) == difference


def test_links_to_the_parent_end() -> None:
    sent, loaded = Point(1), Point(1)
    sent.parent, loaded.parent = [sent], [loaded]
    assert find_difference(sent, loaded) is None


def test_field_that_a_base_class_lacks() -> None:
    @dataclass
    class Deeper(Point):
        z: list[str] = field(default_factory=list)

    assert find_difference(Point(1), Deeper(1)) is None


VALUES = st.recursive(
    st.integers() | st.text() | st.none() | st.binary(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each) | st.builds(Point, each),
)


@given(VALUES)
def test_a_copy_never_differs(value: object) -> None:
    def copy(obj: object) -> object:
        match obj:
            case Point():
                return Point(copy(obj.x))
            case dict():
                return {key: copy(each) for key, each in obj.items()}
            case str() | bytes():
                return obj
            case Iterable():
                return [copy(each) for each in obj]
            case _:
                return obj

    assert find_difference(value, copy(value)) is None
