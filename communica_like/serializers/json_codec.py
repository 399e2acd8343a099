"""JSON by the standard library."""

from __future__ import annotations

from collections.abc import Callable
from json import JSONDecoder, JSONEncoder
from typing import Any, NoReturn

from communica_like.abc import Serializer

__all__ = ["JsonSerializer"]


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODE = JSONDecoder(parse_constant=_refuse_constant).decode


class JsonSerializer(Serializer):
    """Compact UTF-8 JSON as RFC 8259 has it: other languages read it, and NaN is not part of it.

    What JSON lacks does not come back as it was: tuples become lists, and int, float, bool and None
    keys become strings. Instances with the same *default* are equal.

    Args:
        default: turns an object that JSON does not know into one that it knows, or raises TypeError;
            the same as for ``json.dumps``. None: such objects do not dump.
    """

    def __init__(self, default: Callable[[Any], Any] | None = None) -> None:
        self._default = default
        encoder = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default)
        self._encode = encoder.encode

    def dump(self, obj: Any, /) -> bytes:
        """Return *obj* as JSON in UTF-8.

        Raises:
            TypeError: an object or a key is of no type that JSON knows, and *default* did not help.
            ValueError: NaN, an infinity, a circular reference or a lone surrogate.
            RecursionError: it is nested too deeply.
        """
        return self._encode(obj).encode("utf-8")

    def load(self, data: bytes, /) -> Any:
        r"""Return what the JSON text *data* holds.

        A number beyond the range of float loads as an infinity, ``"\ud800"`` as a lone surrogate, and
        of equal keys the last one wins: RFC 8259 leaves these open.

        Raises:
            ValueError: it is not UTF-8, not JSON (NaN and Infinity are not), or nested too deeply.
        """
        try:
            return _DECODE(str(data, "utf-8"))
        except RecursionError as exc:
            raise ValueError("JSON is nested too deeply") from exc

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._default == other._default

    def __hash__(self) -> int:
        return hash((type(self), self._default))
