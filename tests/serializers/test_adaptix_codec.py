from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import NoneType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.serializers import AdaptixSerializer, JsonSerializer, OrjsonSerializer

adaptix = pytest.importorskip("adaptix")


@dataclass
class Item:
    price: int
    tags: list[str] = field(default_factory=list)


@dataclass
class Lookalike:
    price: int
    tags: list[str] = field(default_factory=list)


@dataclass
class Discounted(Item):
    percent: int = 0


@dataclass
class Order:
    items: list[Item]
    day: date = date(2020, 1, 1)
    note: str | None = None


@dataclass
class Receipt:
    total: int


@dataclass
class Node:
    kids: list[Node]


class Color(StrEnum):
    RED = "red"


async def handle(order: Order, context: object) -> Receipt:
    return Receipt(sum(item.price for item in order.items))


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ITEMS = st.builds(Item, st.integers(), st.lists(TEXT))
ORDERS = st.builds(Order, st.lists(ITEMS), st.dates(), st.none() | TEXT)
SERIALIZER = AdaptixSerializer(Order, Receipt)


@given(ORDERS)
def test_request_roundtrip(order: Order) -> None:
    codec = SERIALIZER.request_codec()
    assert codec.load(codec.dump(order)) == order
    assert SERIALIZER.load(codec.dump(order)) == order


@given(st.builds(Receipt, st.integers()))
def test_response_roundtrip(receipt: Receipt) -> None:
    codec = SERIALIZER.response_codec()
    assert codec.load(codec.dump(receipt)) == receipt
    assert SERIALIZER.dump(receipt) == codec.dump(receipt)


@given(
    st.recursive(st.none() | st.integers() | TEXT, lambda each: st.lists(each) | st.dictionaries(TEXT, each))
)
def test_whatever_arrives_is_an_order_or_a_value_error(raw: object) -> None:
    problem = ""
    try:
        order = SERIALIZER.load(JsonSerializer().dump(raw))
    except ValueError as exc:
        problem = str(exc)
    else:
        assert isinstance(order, Order)
    assert "\n" not in problem


def test_bytes_are_those_of_the_wire() -> None:
    assert SERIALIZER.request_codec().dump(Order([Item(1)])) == (
        b'{"items":[{"price":1,"tags":[]}],"day":"2020-01-01","note":null}'
    )


def test_load_names_the_places() -> None:
    with pytest.raises(ValueError) as caught:
        SERIALIZER.load(b'{"items":[{"price":1},{"price":"x"}],"note":3}')
    assert str(caught.value).startswith("cannot load Order: ")
    assert "items[1].price: expected int, got 'x'" in str(caught.value)
    assert "note: " in str(caught.value)
    assert isinstance(caught.value.__cause__, adaptix.load_error.LoadError)


def test_answer_is_validated_by_the_requester() -> None:
    with pytest.raises(ValueError, match="cannot load Receipt: missing total"):
        SERIALIZER.response_codec().load(b"{}")


def test_garbage_fails_in_the_wire() -> None:
    with pytest.raises(ValueError):
        SERIALIZER.load(b"\xff")


@pytest.mark.parametrize(
    ("model", "obj", "text"),
    [
        (Item, Lookalike(1), "cannot dump Item: got an object of Lookalike"),
        (Item, {"price": 1}, "got an object of dict"),
        (Item, None, "got an object of NoneType"),
        (Item, Item("x"), "cannot dump Item: price: expected int, got 'x'"),  # type: ignore[arg-type]
        (Item, Item(True), "price: expected int, got True"),
        (Item, Item(1, "abc"), "tags: str would arrive as list"),  # type: ignore[arg-type]
        (Item, Item(1, {"a": 1}), "tags: dict would arrive as list"),  # type: ignore[arg-type]
        (Item, Item(1, 5), "tags: TypeError"),  # type: ignore[arg-type]
        (Order, Order([Lookalike(1)]), "items[0]: Lookalike would arrive as Item"),  # type: ignore[list-item]
        (Order, Order([None]), "items[0].price: AttributeError"),  # type: ignore[list-item]
        (int, "a", "got an object of str"),
        (int | None, "a", "got an object of str"),
        (int, True, "expected int, got True"),
        (float, float("inf"), "not JSON compliant"),
        (list[int], ["a"], "[0]: expected int, got 'a'"),
        (list[str], "abc", "got an object of str"),
        (set[int], [1], "got an object of list"),
        (Color, "red", "got an object of str"),
        (NoneType, 1, "got an object of int"),
        (dict[int, str], {1: "a"}, "[key '1']: expected int, got '1'"),
        (Item | Lookalike, Lookalike(1), "Lookalike would arrive as Item"),
    ],
)
def test_dump_of_something_else(model: Any, obj: object, text: str) -> None:
    serializer = AdaptixSerializer(model, model)
    for dump in (serializer.request_codec().dump, serializer.dump):
        with pytest.raises(ValueError) as caught:
            dump(obj)
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)


def test_dump_fails_where_the_wire_alters_the_value() -> None:
    pytest.importorskip("orjson")
    serializer = AdaptixSerializer(float, float, wire_serializer=OrjsonSerializer())
    with pytest.raises(ValueError, match=r"expected int \| float, got None"):
        serializer.dump(float("nan"))


def test_circular_object_fails_with_a_line() -> None:
    node = Node([])
    node.kids.append(node)
    with pytest.raises(ValueError) as caught:
        AdaptixSerializer(Node).request_codec().dump(node)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("model", "obj", "loaded"),
    [
        (Item, Discounted(1, percent=5), Item(1)),
        (float, 1, 1.0),
        (str, Color.RED, "red"),
        (date, datetime(2020, 1, 1, 5), date(2020, 1, 1)),
        (tuple[int, ...], (1, 2), (1, 2)),
        (set[int], {1, 2}, {1, 2}),
        (Any, {"a": [1]}, {"a": [1]}),
        (NoneType, None, None),
        (int | None, None, None),
        (bytes, b"\x00\xff", b"\x00\xff"),
    ],
)
def test_what_passes(model: Any, obj: object, loaded: object) -> None:
    codec = AdaptixSerializer(model).request_codec()
    result = codec.load(codec.dump(obj))
    assert result == loaded
    assert type(result) is type(loaded)


def test_no_model_is_no_conversion() -> None:
    assert AdaptixSerializer().dump({"a": 1}) == b'{"a":1}'
    assert AdaptixSerializer().load(b'[{"x":null}]') == [{"x": None}]
    assert AdaptixSerializer(Order).dump("anything") == b'"anything"'
    assert AdaptixSerializer(None, Order).load(b'"anything"') == "anything"


def test_model_of_none() -> None:
    codec = AdaptixSerializer(NoneType).request_codec()
    assert codec.load(codec.dump(None)) is None
    with pytest.raises(ValueError):
        codec.load(b"1")


def test_model_that_adaptix_cannot_convert() -> None:
    class Opaque:
        pass

    with pytest.raises(TypeError, match="Opaque") as caught:
        AdaptixSerializer(list[Opaque])
    assert isinstance(caught.value.__cause__, adaptix.ProviderNotFoundError)
    with pytest.raises(TypeError, match="Opaque"):
        AdaptixSerializer(None, Opaque)


def test_retort_is_used_on_both_sides() -> None:
    rule = adaptix.validator(adaptix.P[Item].price, lambda price: price > 0, "must be positive")
    codec = AdaptixSerializer(Item, retort=adaptix.Retort(recipe=[rule])).request_codec()
    with pytest.raises(ValueError, match="cannot dump Item: price: must be positive"):
        codec.dump(Item(-1))
    with pytest.raises(ValueError, match="cannot load Item: price: must be positive"):
        codec.load(b'{"price":-1}')


def test_loaders_are_made_once() -> None:
    asked: list[object] = []

    class Counting(adaptix.Retort):  # type: ignore[name-defined,misc]
        def get_loader(self, tp: Any) -> Any:
            asked.append(tp)
            return super().get_loader(tp)

        def get_dumper(self, tp: Any) -> Any:
            asked.append(tp)
            return super().get_dumper(tp)

    serializer = AdaptixSerializer(Order, Receipt, Counting())
    assert asked == [Order, Order, Receipt, Receipt]
    serializer.load(serializer.request_codec().dump(Order([])))
    assert len(asked) == 4


def test_wire_codecs_are_used_by_direction() -> None:
    class Tagged(JsonSerializer):
        def request_codec(self) -> Any:
            return super().request_codec()._replace(dump=lambda obj: b"1")

        def response_codec(self) -> Any:
            return super().response_codec()._replace(dump=lambda obj: b"2")

    serializer = AdaptixSerializer(int, int, wire_serializer=Tagged())
    assert serializer.request_codec().dump(5) == b"1"
    assert serializer.response_codec().dump(5) == b"2"


def test_of_a_handler() -> None:
    assert AdaptixSerializer.of(handle) == SERIALIZER


def test_of_passes_the_rest() -> None:
    retort, wire = adaptix.Retort(), JsonSerializer(default=str)
    assert AdaptixSerializer.of(handle, retort=retort, wire_serializer=wire) == AdaptixSerializer(
        Order, Receipt, retort, wire
    )


def test_of_a_handler_that_answers_none() -> None:
    async def silent(order) -> None: ...  # type: ignore[no-untyped-def]

    serializer = AdaptixSerializer.of(silent)
    assert serializer.load(b"[1]") == [1]
    assert serializer.dump(None) == b"null"
    with pytest.raises(ValueError, match="cannot dump NoneType"):
        serializer.dump(1)


def test_of_a_subclass() -> None:
    class Own(AdaptixSerializer):
        pass

    assert type(Own.of(handle)) is Own
    assert Own.of(handle) != SERIALIZER


def test_equality() -> None:
    retort = adaptix.Retort()
    same = AdaptixSerializer(Order, Receipt)
    assert same == SERIALIZER
    assert repr(same) == "AdaptixSerializer(Order, Receipt)"
    assert hash(same) == hash(SERIALIZER)
    assert AdaptixSerializer(Order, retort=retort) == AdaptixSerializer(Order, retort=retort)
    different = [
        SERIALIZER,
        AdaptixSerializer(Receipt, Order),
        AdaptixSerializer(Order, Receipt, retort),
        AdaptixSerializer(Order, Receipt, adaptix.Retort()),
        AdaptixSerializer(Order, Receipt, wire_serializer=JsonSerializer(str)),
        JsonSerializer(),
    ]
    assert all(each != SERIALIZER for each in different[1:])
    assert len({*different, same}) == len(different)
