"""Text as lines of bytes."""

from __future__ import annotations

import codecs
from typing import Any

from ..abc import Serializer

__all__ = ["LineText"]


class LineText(Serializer):
    """``str(obj)`` as one line with a newline; loaded from a line without it.

    Args:
        encoding: one in which a newline is the byte 10.
        errors: see codecs.

    Raises:
        ValueError: the encoding is of another kind.
        LookupError: there is no such encoding or error handler.
    """

    def __init__(self, encoding: str, errors: str) -> None:
        if "\n".encode(encoding) != b"\n":
            raise ValueError(f"a newline in {encoding} is not the byte 10")
        codecs.lookup_error(errors)
        self._encoding = encoding
        self._errors = errors

    def dump(self, obj: Any, /) -> bytes:
        text = str(obj)
        if "\n" in text:
            raise ValueError("there is a newline in it")
        return f"{text}\n".encode(self._encoding, self._errors)

    def load(self, data: bytes, /) -> str:
        return data.decode(self._encoding, self._errors)
