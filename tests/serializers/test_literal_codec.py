from __future__ import annotations

import ast
import enum
import math
import pprint
import sys
import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.serializers.literal_codec import LiteralSerializer
from communica_like.serializers.plain_literal import load_plain

ATOMS = (
    st.none() | st.booleans() | st.text() | st.binary()
    | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
)  # fmt: skip
KEYS = ATOMS | st.tuples(ATOMS, ATOMS)
VALUES = st.recursive(
    ATOMS | st.sets(KEYS),
    lambda each: st.lists(each) | st.lists(each).map(tuple) | st.dictionaries(KEYS, each),
    max_leaves=20,
)

Point = namedtuple("Point", "x y")


class Color(enum.IntEnum):
    RED = 1


class Text(str):
    pass


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@given(VALUES)
def test_roundtrip(value: object) -> None:
    serializer = LiteralSerializer()
    data = serializer.dump(value)
    assert b"\n" not in data
    assert b"\r" not in data
    assert serializer.load(data) == value
    assert type(serializer.load(data)) is type(value)
    assert ast.literal_eval(data.decode()) == value


@given(st.binary() | st.text(alphabet="0123456789[](){},:'\"+-ebj. \n").map(str.encode))
def test_garbage(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            LiteralSerializer().load(data)
        except ValueError:
            pass


@pytest.mark.parametrize(
    "value,data",
    [
        ("a\nb'\u00e9\u2028\ud800", b'"a\\nb\'\xc3\xa9\\u2028\\ud800"'),
        (b"\n\xff", rb"b'\n\xff'"),
        (-5, b"-5"),
        (-1.5e300, b"-1.5e+300"),
        (math.inf, b"1e999"),
        ([-math.inf], b"[-1e999]"),
        (1 - 2j, b"(1-2j)"),
        (complex(-math.inf, math.inf), b"(-1e999+1e999j)"),
        (True, b"True"),
        (None, b"None"),
        ((), b"()"),
        ((1,), b"(1,)"),
        ((1, "x"), b"(1, 'x')"),
        ([], b"[]"),
        (set(), b"set()"),
        ({5}, b"{5}"),
        ({}, b"{}"),
        ({"b": [set()], (1,): {"a"}}, b"{'b': [set()], (1,): {'a'}}"),
    ],
)
def test_form(value: object, data: bytes) -> None:
    assert LiteralSerializer().dump(value) == data
    assert LiteralSerializer().load(data) == value


def test_it_is_what_pprint_writes_on_one_line() -> None:
    item = [(0, "First message."), {"a": {1}, "b": b"x"}, [1.5, -2j, None, True, ()], "long " * 100]
    text = pprint.pformat(item, compact=True, width=sys.maxsize)
    assert LiteralSerializer().dump(item) == text.encode()


def test_dicts_keep_their_order() -> None:
    value = {"b": 1, "a": 2}
    assert list(LiteralSerializer().load(LiteralSerializer().dump(value))) == ["b", "a"]


@pytest.mark.parametrize(
    "value,name",
    [
        (object(), "builtins.object"),
        (frozenset({1}), "builtins.frozenset"),
        (bytearray(b"x"), "builtins.bytearray"),
        (..., "builtins.ellipsis"),
        (int, "builtins.type"),
        (Point(1, 2), "Point"),
        (Color.RED, "Color"),
        (Text("x"), "Text"),
        (OrderedDict(), "collections.OrderedDict"),
    ],
)
def test_what_has_no_literal_is_named(value: object, name: str) -> None:
    for each in (value, [value], {"key": (value,)}):
        with pytest.raises(TypeError, match=f"no literal for .*{name}"):
            LiteralSerializer().dump(each)


@pytest.mark.parametrize("value", [math.nan, complex(1, math.nan), complex(math.nan, 1)])
def test_nan_has_no_literal(value: object) -> None:
    with pytest.raises(ValueError, match=r"no literal for .*nan"):
        LiteralSerializer().dump([value])


def test_integers_that_python_does_not_print() -> None:
    with pytest.raises(ValueError, match="digits"):
        LiteralSerializer().dump(10**5000)


def test_what_is_deep_loads_or_does_not_dump() -> None:
    serializer = LiteralSerializer()
    assert serializer.load(serializer.dump(nested(90))) == nested(90)
    circular: list[Any] = []
    circular.append(circular)
    for value in (nested(91), nested(100_000), circular):
        with pytest.raises(ValueError, match="more than 90 deep, or holds itself"):
            serializer.dump(value)


@pytest.mark.parametrize(
    "data",
    [
        b"", b" ", b"[", b"nan", b"inf", b"x", b"1 2", b"1\n2", b"\xff", b"'\xed\xa0\x80'", b"1\0", b"{[]}",
        b"{{}: 1}", b"f''", b"2 ** 3", b"__import__('os')", b"frozenset()", b"[" * 1000,
        b"-" * 100_000 + b"1", b"9" * 5000, "1".encode("utf-16"),
    ],
)  # fmt: skip
def test_not_loadable(data: bytes) -> None:
    with pytest.raises(ValueError):
        LiteralSerializer().load(data)


def test_codecs() -> None:
    for codec in (LiteralSerializer().request_codec(), LiteralSerializer().response_codec()):
        assert codec.load(codec.dump({"a": (1,)})) == {"a": (1,)}


def test_equality() -> None:
    class Other(LiteralSerializer):
        pass

    assert LiteralSerializer() == LiteralSerializer()
    assert LiteralSerializer() != Other()
    assert LiteralSerializer() != object()
    assert len({LiteralSerializer(), LiteralSerializer(), Other()}) == 2


SIMPLE = ["0", "7", "70", "00", "1_0", "''", "'a'", "'a' 'b'", "'\\x41'", "'\"'", "' '", '"a"']


@pytest.mark.parametrize("text", SIMPLE)
def test_what_is_simple_is_read_as_the_parser_reads_it(text: str) -> None:
    assert LiteralSerializer().load(text.encode()) == ast.literal_eval(text)


@pytest.mark.parametrize("text", ["007", "'", "'a", "'a'b'", "'a\n'", "'\x00'", "\u00b2", "'\udce9'"])
def test_what_only_looks_simple_is_refused_as_by_the_parser(text: str) -> None:
    with pytest.raises(ValueError):
        LiteralSerializer().load(text.encode("utf-8", "surrogateescape"))


# -- what is read without the parser: it makes no difference but in time


def outcome(load: Callable[[bytes], Any], data: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return repr(load(data))  # which tells -0.0 from 0.0, and True from 1
        except Exception:
            return "refused"


def parsed(data: bytes) -> Any:
    return ast.literal_eval(data.decode())


PLAIN_ATOMS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_characters="'\"\\\x7f", exclude_categories=["C", "Z"]) | st.just(" "))
)  # fmt: skip
PLAIN = st.recursive(
    PLAIN_ATOMS,
    lambda each: (
        st.lists(each) | st.lists(each).map(tuple) | st.dictionaries(st.text("ab (){}[],:None"), each)
    ),
    max_leaves=15,
)


@given(PLAIN)
def test_what_is_plain_needs_no_parser(value: object) -> None:
    data = LiteralSerializer().dump(value)
    assert repr(load_plain(data)) == repr(value) == repr(parsed(data))


PIECES = [*"()[]{},: '-+01.eb", ",)", "'a'", "'a': ", "1.5", "None", "True", "False", "null", "true", "NaN"]
PIECES += ["\\", '"', "\t", "\x00", "\x01", "\u00e9"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_it_differs_from_the_parser_in_nothing(text: str) -> None:
    data = text.encode()
    assert outcome(LiteralSerializer().load, data) == outcome(parsed, data)


@given(PLAIN, st.data())
def test_nor_when_something_is_altered(value: object, choices: st.DataObject) -> None:
    text = LiteralSerializer().dump(value).decode()
    place = choices.draw(st.integers(0, len(text)))
    removed = choices.draw(st.integers(0, 2))
    text = text[:place] + choices.draw(st.sampled_from(["", *PIECES])) + text[place + removed :]
    data = text.encode()
    assert outcome(LiteralSerializer().load, data) == outcome(parsed, data)


@pytest.mark.parametrize("depth", [89, 90, 91, 250, 5000])
@pytest.mark.parametrize("brackets", ["[]", "()", "{}"])
def test_nor_in_how_deep_it_goes(depth: int, brackets: str) -> None:
    opening = {"{}": "{'a': "}.get(brackets, brackets[0])
    closing = {"()": ",)"}.get(brackets, brackets[1])
    data = (opening * depth + "1" + closing * depth).encode()
    assert outcome(LiteralSerializer().load, data) == outcome(parsed, data)
