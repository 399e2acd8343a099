"""A serializer as the requester uses it."""

from __future__ import annotations

from typing import Any

from ..abc import Serializer
from ..exceptions import SerializerError
from ..serializers import PickleSerializer

__all__ = ["Codecs", "check_serializer"]


def check_serializer(serializer: Any) -> None:
    """Raise TypeError unless it is a serializer, and one for what comes from elsewhere."""
    if isinstance(serializer, PickleSerializer):
        raise TypeError("a pickle runs what its sender wants: it is for queues, and not for entities")
    if not isinstance(serializer, Serializer):
        raise TypeError(f"a serializer is expected, such as JsonSerializer(), not {serializer!r}")


class Codecs:
    """Dumps requests and loads answers; whatever a serializer raises becomes a SerializerError."""

    __slots__ = ("_dump", "_load", "serializer")

    def __init__(self, serializer: Serializer) -> None:
        check_serializer(serializer)
        self.serializer = serializer
        self._dump = serializer.request_codec().dump
        self._load = serializer.response_codec().load

    def dump_request(self, data: Any) -> bytes:
        """Return *data* as bytes."""
        try:
            body = self._dump(data)
            if type(body) is not bytes:
                raise TypeError(f"dump returned {type(body).__qualname__}, not bytes")
        except Exception as exc:
            raise SerializerError(f"the data cannot be dumped: {exc!r}") from exc
        return body

    def load_answer(self, body: bytes) -> Any:
        """Return the object in an answer."""
        try:
            return self._load(body)
        except Exception as exc:
            raise SerializerError(f"the answer cannot be loaded: {exc!r}") from exc
