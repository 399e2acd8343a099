"""Checks of arguments, so that a wrong one is refused where it is given, with the right call."""

from __future__ import annotations

from numbers import Real
from types import UnionType
from typing import Any


def check_kind(value: Any, kind: type | UnionType, expected: str, call: str = "") -> None:
    """Raise TypeError unless *value* is an instance of *kind*.

    Args:
        expected: what the argument is, such as ``"limits is a Limits"``.
        call: the right call, for the message.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{expected}, not {value!r}{call and ': '}{call}")


def check_seconds(name: str, value: Any, *, optional: bool = False, least: float = 0.0) -> None:
    """Raise TypeError or ValueError unless *value* is a number of seconds.

    Args:
        name: the argument's.
        optional: whether it may be None.
        least: the smallest number.
    """
    if value is None and optional:
        return
    expected = f"{name} is a number of seconds{' or None' if optional else ''}"
    check_kind(value, float | int | Real, expected, f"{name}=5.0")
    if not value >= least:
        raise ValueError(f"{expected}, at least {least}, not {value!r}: {name}=5.0")
