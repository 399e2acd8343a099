"""What a contestant's module offers, so that one driver can measure all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

__all__ = ["Arena", "Handler", "Requester"]

Handler = Callable[[Any], Any]


class Requester(Protocol):
    """The client's end of one connection."""

    def request(self, data: Any, /) -> Awaitable[Any]:
        """Give the answer to *data*."""

    def throw(self, data: Any, /) -> Awaitable[None]:
        """Send *data* without an answer; wait where too much is under way."""


class Arena(Protocol):
    """A contestant's module."""

    def serve(self, address: str, handler: Handler) -> AbstractAsyncContextManager[object]:
        """Serve *handler* at *address*: the path of a Unix socket, or what the contestant says."""

    def connect(self, address: str) -> AbstractAsyncContextManager[Requester]:
        """Open one connection to the server at *address*."""
