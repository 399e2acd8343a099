"""Serializer: turns objects into bytes and back. Codec: one direction of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple


class Codec(NamedTuple):
    """The functions of one direction, request or response: *dump* on one side, *load* on the other."""

    dump: Callable[[Any], bytes]
    load: Callable[[bytes], Any]


class Serializer(ABC):
    """Turns objects into bytes and back.

    A subclass needs ``dump`` and ``load`` only. If its requests and responses have different formats, it
    overrides ``request_codec`` and ``response_codec``, too. Give it ``__eq__`` and ``__hash__`` if several
    instances stand for the same format, because a route always uses one serializer.

    Methods may raise any Exception. The requester gets it as a SerializerError, or as a RespError if a
    response cannot be dumped. They must not block: entities call them on the event loop. Queues call them
    on the thread that puts or gets.
    """

    @abstractmethod
    def dump(self, obj: Any, /) -> bytes:
        """Return *obj* as bytes, of any length."""

    @abstractmethod
    def load(self, data: bytes, /) -> Any:
        """Return the object that ``dump`` turned into *data*. The data may come from a stranger."""

    def request_codec(self) -> Codec:
        """Return how requests and throws are dumped by the requester and loaded by the responder."""
        return Codec(self.dump, self.load)

    def response_codec(self) -> Codec:
        """Return how responses are dumped by the responder and loaded by the requester."""
        return Codec(self.dump, self.load)
