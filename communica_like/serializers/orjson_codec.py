"""OrjsonSerializer: JSON by orjson."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from communica_like.abc import Codec, Serializer
from communica_like.features import optional_package


class OrjsonSerializer(Serializer):
    """JSON by orjson: several times faster than JsonSerializer, and with more types.

    It also dumps dataclasses, datetimes, enums and UUIDs, which load as dicts, strings and values. Unlike
    JsonSerializer, it dumps NaN and infinities as null, loads integers beyond 64 bits as floats, and refuses
    keys that are not strings, unless *option* allows them. Instances with the same *default* and *option*
    are equal.

    Args:
        default: called with an object of an unknown type; returns one of a known type, or raises TypeError.
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
            TypeError: ``orjson.JSONEncodeError``: it contains an object of an unknown type, a lone surrogate
                or an integer beyond 64 bits, or is nested too deeply.
        """
        return self._dumps(obj)

    def load(self, data: bytes, /) -> Any:
        """Return the object in the JSON text *data*.

        Raises:
            ValueError: ``orjson.JSONDecodeError``: it is not UTF-8, not JSON, or nested too deeply.
        """
        return self._loads(data)

    def request_codec(self) -> Codec:
        """Return orjson's own functions, which saves a Python call."""
        return self._codec(super().request_codec())

    def response_codec(self) -> Codec:
        """Return orjson's own functions, which saves a Python call."""
        return self._codec(super().response_codec())

    def _codec(self, methods: Codec) -> Codec:
        # A subclass may override dump and load: do not bypass them.
        return Codec(self._dumps, self._loads) if type(self) is OrjsonSerializer else methods

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash((type(self), self._key))
