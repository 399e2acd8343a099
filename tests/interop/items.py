"""Items of many kinds, for both sides."""

from __future__ import annotations

import datetime
import enum
import math
import uuid
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, Final

__all__ = ["LITERALS", "OBJECTS", "Color", "Reading"]


class Color(enum.Enum):
    """An enumeration that both processes know."""

    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Reading:
    """A class that both processes know."""

    sensor: str
    value: float


LITERALS: Final[list[Any]] = [
    None,
    True,
    False,
    0,
    -17,
    2**100,
    1.5,
    -1e-300,
    "",
    "text",
    "two\nlines, and a third\r\n",
    "it's \"quoted\", and \\escaped\\n",
    "Grüße, 日本語, 🙂, \u2028 and \x00",
    b"",
    b"bytes\n\x00\xff",
    (),
    (1,),
    (0, "First message."),
    [],
    [1, [2, [3, "four\nfive"]]],
    {},
    {"a": 1, "b": [True, None], 3: {"c": b"\n"}},
    {(1, 2): "a tuple as the key"},
    set(),
    {1, 2, 3},
    {"one", "two", "three"},
    ["a long text of many words " * 30, list(range(200))],
]

OBJECTS: Final[list[Any]] = [
    *(item for item in LITERALS if len(repr(item)) < 900),
    math.inf,
    3 + 4j,
    frozenset({1, "two"}),
    bytearray(b"\x00\x01"),
    range(3, 30, 3),
    Decimal("3.1400"),
    Fraction(1, 3),
    datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC),
    datetime.timedelta(days=1, seconds=2),
    uuid.UUID("12345678123456781234567812345678"),
    PurePosixPath("/a/path"),
    Color.BLUE,
    Reading("outside", -4.5),
    [Reading("inside", 20.5), {Color.RED: Reading("cellar", 12.0)}],
    Reading,
]
