from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest

from communica_like.serializers.load_failure import describe_failure, type_name

adaptix = pytest.importorskip("adaptix")


@dataclass
class Item:
    x: int


@dataclass
class Order:
    items: list[Item]
    by_key: dict[int, Item]
    either: Item | int


def failure(model: Any, raw: Any, **options: Any) -> str:
    with pytest.raises(Exception) as caught:
        adaptix.Retort(**options).load(raw, model)
    return describe_failure(caught.value)


@pytest.mark.parametrize(
    ("model", "raw", "text"),
    [
        (int, "a", "expected int, got 'a'"),
        (Item, {"x": "a"}, "x: expected int, got 'a'"),
        (Item, {}, "missing x"),
        (Item, [], "expected Mapping, got []"),
        (list[Item], [{"x": 1}, {"x": None}], "[1].x: expected int, got None"),
        (dict[str, Item], {"a b": {"x": ""}}, "['a b'].x: expected int, got ''"),
        (dict[int, str], {"a": "b"}, "[key 'a']: expected int, got 'a'"),
        (list[str], "abc", "expected Iterable other than str, got 'abc'"),
        (Literal["b", "a"], "c", "expected one of 'a', 'b', got 'c'"),
        (Decimal, "x", "Bad string format, got 'x'"),
        (tuple[int, int], [1], "NoRequiredItemsLoadError: expected_len=2, input_value=(1,)"),
    ],
)
def test_text(model: Any, raw: Any, text: str) -> None:
    assert failure(model, raw) == text


def test_union() -> None:
    text = failure(Order, {"items": [], "by_key": {}, "either": "s"})
    assert text.startswith("either: fits no variant (")
    assert "expected int, got 's'" in text
    assert " | " in text
    assert "expected Mapping, got 's'" in text


def test_all_problems_in_one_line() -> None:
    text = failure(Order, {"items": [{"x": "a"}, {}], "by_key": {}, "either": 1})
    assert text == "items[0].x: expected int, got 'a'; items[1]: missing x"


def test_one_line_of_bounded_length() -> None:
    text = failure(list[int], ["x" * 1000] * 100)
    assert text.count("expected int") == 8
    assert text.endswith("; and 92 more")
    assert len(text) < 1000


def test_excluded_type_with_its_fields_in_order() -> None:
    error = adaptix.load_error.ExcludedTypeLoadError(expected_type=list, excluded_type=str, input_value="abc")
    assert describe_failure(error) == "expected list other than str, got 'abc'"


def test_extra_fields() -> None:
    recipe = [adaptix.name_mapping(Item, extra_in=adaptix.ExtraForbid())]
    assert failure(Item, {"x": 1, "z": 2}, recipe=recipe) == "unexpected ['z']"


def test_validator() -> None:
    recipe = [adaptix.validator(adaptix.P[Item].x, lambda x: x > 0, "must be positive")]
    assert failure(Item, {"x": -1}, recipe=recipe) == "x: must be positive, got -1"


def test_debug_trails() -> None:
    raw = [{"x": "a"}]
    assert failure(list[Item], raw, debug_trail=adaptix.DebugTrail.FIRST) == "[0].x: expected int, got 'a'"
    assert failure(list[Item], raw, debug_trail=adaptix.DebugTrail.DISABLE) == "expected int, got 'a'"


def test_foreign_error() -> None:
    assert describe_failure(OSError("two\nlines")) == "OSError: two lines"


def test_very_deep_group() -> None:
    error: Exception = ValueError("bad")
    for _ in range(5000):
        error = ExceptionGroup("while", [error])
        error._adaptix_struct_trail = deque(["kids"])  # type: ignore[attr-defined]
    text = describe_failure(error)
    assert text.startswith("kids.kids.")
    assert text.endswith("...: ValueError: bad")
    assert len(text) < 300


@pytest.mark.parametrize(
    ("hint", "name"), [(int, "int"), (Item, "Item"), (list[int], "list[int]"), (int | None, "int | None")]
)
def test_type_name(hint: Any, name: str) -> None:
    assert type_name(hint) == name
