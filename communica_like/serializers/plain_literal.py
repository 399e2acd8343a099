"""Python literals that are nearly JSON, loaded by json's scanner, which is written in C."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

DEEPEST: Final = 90  # nested brackets; Python's parser accepts some 200, older ones about 90

# Strings in single quotes, without other quotes and backslashes; numbers; lists; dicts that begin with such a
# string; and, in group 1, what JSON lacks. There is no backtracking (*+): long nonsense is refused at once.
_PLAIN: Final = re.compile(
    rb"(?:'[ !#-&(-\[\]-~\x80-\xff]*+'|[-0-9.e+, :\[\]}]++|\{(?=['}])|(None|True|False|[()]))*+"
)
_OPEN, _CLOSE, _COMMA = b"(),"

# A nested tuple is rewritten as a dict with these keys, which no plain literal has.
_ITEMS, _HAS_COMMA = "\0", "\1"
_IN_JSON: Final = (
    ("None", "null"),
    ("True", "true"),
    ("False", "false"),
    ("(", r'{"\u0000":['),
    (",)", r'],"\u0001":0}'),
    (")", "]}"),
)


def load_plain(data: bytes) -> Any:
    """Return the object of a literal, as ``ast.literal_eval`` does, in a fraction of its time.

    It knows numbers, strings, None and booleans; and tuples, lists, and dicts with strings as keys, of these.

    Args:
        data: at least one byte.

    Raises:
        ValueError, StopIteration, RecursionError: it is another literal, or none.
    """
    has_comma = False
    is_tuple = data[0] == _OPEN
    if is_tuple:
        if data[-1] != _CLOSE:
            raise ValueError("the tuple does not end")
        has_comma = data[-2] == _COMMA
        data = b"[" + (data[1:-2] if has_comma else data[1:-1]) + b"]"
    found = _PLAIN.fullmatch(data)
    if found is None or (len(data) > DEEPEST and sum(map(data.count, b"[{(")) > DEEPEST):
        raise ValueError("it is not so plain, or may be nested deeper than Python's parser goes")
    text = str(data, "utf-8")
    if found.lastindex:
        value, end = _scan_tuples(text := _in_json(text), 0)
    else:
        value, end = _scan(text := text.replace("'", '"'), 0)
    if end != len(text):
        raise ValueError(f"there is more after {end} characters")
    return _tuple(value, has_comma) if is_tuple else value


def _tuple(items: list[Any], has_comma: bool) -> tuple[Any, ...]:
    # Without a comma, brackets around a single value make no tuple.
    if len(items) < 2 and has_comma != bool(items):
        raise ValueError("it is no tuple")
    return tuple(items)


def _in_json(text: str) -> str:
    # Strings contain no quotes, so every other part is outside of strings.
    parts = text.split("'")
    outside = "'".join(parts[::2])
    for literal, in_json in _IN_JSON:
        outside = outside.replace(literal, in_json)
    parts[::2] = outside.split("'")
    return '"'.join(parts)


def _tuple_or_dict(found: dict[str, Any]) -> Any:
    return _tuple(found[_ITEMS], _HAS_COMMA in found) if _ITEMS in found else found


_Scanner = Callable[[str, int], tuple[Any, int]]
_scan: Final[_Scanner] = vars(json.JSONDecoder())["scan_once"]
_scan_tuples: Final[_Scanner] = vars(json.JSONDecoder(object_hook=_tuple_or_dict))["scan_once"]
