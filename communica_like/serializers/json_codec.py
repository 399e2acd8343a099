"""JsonSerializer: JSON by the standard library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from json import JSONDecoder, JSONEncoder
from typing import Any, NoReturn

from communica_like.abc import Serializer


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODE = JSONDecoder(parse_constant=_refuse_constant).decode


@dataclass(unsafe_hash=True)
class JsonSerializer(Serializer):
    """Compact JSON in UTF-8, as RFC 8259 defines it, so that other languages can read it.

    Types that JSON lacks come back as others: tuples as lists; int, float, bool and None keys as strings. NaN
    and infinities cannot be dumped. Instances with the same *default* are equal.

    Args:
        default: as for ``json.dumps``: called with an object of an unknown type; returns one of a known type,
            or raises TypeError. None: such objects cannot be dumped.
    """

    default: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        encoder = JSONEncoder(
            ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=self.default
        )
        self._encode = encoder.encode

    def dump(self, obj: Any, /) -> bytes:
        """Return *obj* as JSON in UTF-8.

        Raises:
            TypeError: an object or a key has a type that neither JSON nor *default* knows.
            ValueError: it contains NaN, an infinity, a circular reference or a lone surrogate.
            RecursionError: it is nested too deeply.
        """
        return self._encode(obj).encode("utf-8")

    def load(self, data: bytes, /) -> Any:
        r"""Return the object in the JSON text *data*.

        A number beyond the range of float loads as an infinity, ``"\ud800"`` as a lone surrogate, and the
        last of equal keys wins: RFC 8259 leaves these open.

        Raises:
            ValueError: it is not UTF-8, not JSON (NaN and Infinity are not), or nested too deeply.
        """
        try:
            return _DECODE(str(data, "utf-8"))
        except RecursionError as exc:
            raise ValueError("JSON is nested too deeply") from exc
