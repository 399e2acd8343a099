"""RawSerializer: bytes as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from communica_like.abc import Serializer


@dataclass(unsafe_hash=True)
class RawSerializer(Serializer):
    """Passes bytes through: dumps bytes-like objects, loads bytes. All instances are equal."""

    def dump(self, obj: Any, /) -> bytes:
        """Return *obj* as bytes.

        Raises:
            TypeError: it is not bytes-like.
        """
        return obj if type(obj) is bytes else bytes(memoryview(obj))

    def load(self, data: bytes, /) -> bytes:
        """Return *data*."""
        return data
