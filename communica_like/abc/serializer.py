"""What a serializer is: objects to bytes, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Codec", "Serializer"]


class Codec(NamedTuple):
    """One direction of a serializer: a pair of plain functions."""

    dump: Callable[[Any], bytes]
    load: Callable[[bytes], Any]


class Serializer(ABC):
    """Turns objects into bytes and back.

    Write ``dump`` and ``load``; that is a whole serializer. One whose requests and answers differ
    overrides ``request_codec`` and ``response_codec`` as well. Give it ``__eq__`` and ``__hash__`` if
    several instances stand for the same format: a route always uses one serializer.

    Methods may raise any Exception: it becomes a SerializerError (or, for an answer that does not
    dump, a RespError) for the requester. They are called on the event loop and must not block.
    """

    @abstractmethod
    def dump(self, obj: Any, /) -> bytes:
        """Return *obj* as bytes."""

    @abstractmethod
    def load(self, data: bytes, /) -> Any:
        """Return the object that *data* holds."""

    def request_codec(self) -> Codec:
        """How requests and throws are dumped by the requester and loaded by the responder."""
        return Codec(self.dump, self.load)

    def response_codec(self) -> Codec:
        """How answers are dumped by the responder and loaded by the requester."""
        return Codec(self.dump, self.load)
