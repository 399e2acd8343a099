"""JSON by orjson."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from communica_like.abc import Codec, Serializer
from communica_like.features import optional_package

__all__ = ["OrjsonSerializer"]


class OrjsonSerializer(Serializer):
    """JSON by orjson: several times faster than JsonSerializer, and with more types.

    It also dumps dataclasses, datetimes, enums and UUIDs (they load as dicts, strings and values).
    Unlike JsonSerializer it dumps NaN and infinities as null, loads integers beyond 64 bits as
    floats, and refuses keys that are no strings unless *option* says otherwise. Instances with the
    same *default* and *option* are equal.

    Args:
        default: turns an object that orjson does not know into one that it knows.
        option: ``orjson.OPT_...`` flags for dumping, joined by ``|``.

    Raises:
        FeatureNotAvailable: orjson is not installed.
    """

    def __init__(self, default: Callable[[Any], Any] | None = None, option: int | None = None) -> None:
        orjson = optional_package("orjson", extra="orjson")
        self._key = (default, option)
        plain = default is None and option is None
        self._dumps: Callable[[Any], bytes] = (
            orjson.dumps if plain else partial(orjson.dumps, default=default, option=option)
        )
        self._loads: Callable[[bytes], Any] = orjson.loads

    def dump(self, obj: Any, /) -> bytes:
        """Return *obj* as JSON in UTF-8.

        Raises:
            TypeError: ``orjson.JSONEncodeError``: an object does not dump. Also for a lone surrogate,
                an integer beyond 64 bits and too deep nesting.
        """
        return self._dumps(obj)

    def load(self, data: bytes, /) -> Any:
        """Return what the JSON text *data* holds.

        Raises:
            ValueError: ``orjson.JSONDecodeError``: it is not UTF-8, not JSON, or nested too deeply.
        """
        return self._loads(data)

    def request_codec(self) -> Codec:
        """The functions of orjson themselves, with no Python call around them."""
        return self._codec(super().request_codec())

    def response_codec(self) -> Codec:
        """The functions of orjson themselves, with no Python call around them."""
        return self._codec(super().response_codec())

    def _codec(self, methods: Codec) -> Codec:
        # A subclass may have its own dump and load: never go past them.
        return Codec(self._dumps, self._loads) if type(self) is OrjsonSerializer else methods

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash((type(self), self._key))
