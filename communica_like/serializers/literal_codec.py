"""LiteralSerializer: Python literals as text."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any, Final

from communica_like.abc import Serializer

from .plain_literal import DEEPEST, load_plain

_PLAIN: Final = frozenset({str, bytes, int, bool, type(None)})
_ZERO: Final = ord("0")
_MAYBE_PLAIN: Final = frozenset(b"([{-0123456789'")  # first bytes of what load_plain may know
_PLAIN_STRING: Final = re.compile(rb"'[ -&(-\[\]-~]*'")  # printable ASCII without quotes and backslashes


@dataclass(unsafe_hash=True)
class LiteralSerializer(Serializer):
    """Python literals, one line of UTF-8 each. Loading runs no code.

    For str, bytes, int, float, complex, bool, None, and tuples, lists, dicts and sets of these. Objects of
    subclasses, such as named tuples and enums, cannot be dumped. All come back equal, dicts in their order;
    only the sign of a zero in a complex number may be lost. All instances are equal.
    """

    def dump(self, obj: Any, /) -> bytes:
        """Return *obj* as a literal, without a newline.

        An infinity is written as ``1e999``, and an empty set as ``set()``, a literal since Python 3.9.

        Raises:
            TypeError: there is no literal for a type, which the message names.
            ValueError: it contains NaN, an integer of more digits than ``sys.get_int_max_str_digits()``, or
                itself; or it is nested more than 90 deep.
        """
        return (repr(obj) if type(obj) in _PLAIN else _literal(obj, 0)).encode()

    def load(self, data: bytes, /) -> Any:
        """Return the object of the literal in *data*, as ``ast.literal_eval`` does.

        Raises:
            ValueError: *data* is not UTF-8, or not a literal.
        """
        if data.isdigit() and (data[0] != _ZERO or len(data) == 1):
            return int(data)  # the parser is slow for simple literals
        if _PLAIN_STRING.fullmatch(data):
            return str(data[1:-1], "ascii")
        if data and data[0] in _MAYBE_PLAIN:
            try:
                return load_plain(data)
            except (ValueError, StopIteration, RecursionError):
                pass  # another literal, or none: ask the parser
        try:
            return ast.literal_eval(str(data, "utf-8"))
        except (SyntaxError, TypeError, MemoryError, RecursionError) as exc:
            raise ValueError(f"it is not a Python literal: {exc!r}") from exc


def _literal(obj: Any, depth: int) -> str:
    kind = type(obj)
    if kind in _PLAIN:
        return repr(obj)
    if kind is float or kind is complex:
        if obj != obj:
            raise ValueError(f"there is no literal for {obj!r}")
        return repr(obj).replace("inf", "1e999")
    depth += 1
    if depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} deep, or holds itself")
    if kind is dict:
        if _PLAIN.issuperset(map(type, obj)) and _PLAIN.issuperset(map(type, obj.values())):
            return repr(obj)
        pairs = [f"{_literal(key, depth)}: {_literal(value, depth)}" for key, value in obj.items()]
        return "{" + ", ".join(pairs) + "}"
    if kind is not tuple and kind is not list and kind is not set:
        raise TypeError(f"there is no literal for {kind.__module__}.{kind.__qualname__}")
    if obj and _PLAIN.issuperset(map(type, obj)):
        return repr(obj)
    text = ", ".join([_literal(each, depth) for each in obj])
    if kind is list:
        return f"[{text}]"
    if kind is tuple:
        return f"({text},)" if len(obj) == 1 else f"({text})"
    return "{" + text + "}" if obj else "set()"
