"""The raw limit, writing long bursts in pieces of 32 messages, as the library does.

The other process then begins with the first piece while this one still works on the next.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from benchmarks import limit
from benchmarks.arena import Handler, Requester

__all__ = ["PIECE", "connect", "serve"]

PIECE: Final = 2 * 32
"""Parts, two to a message."""


def serve(path: str, handler: Handler) -> AbstractAsyncContextManager[object]:
    """Serve *handler*, a plain function, at the Unix socket *path*."""
    return limit.serve(path, handler, PIECE)


def connect(path: str) -> AbstractAsyncContextManager[Requester]:
    """Open one connection to the server at *path*."""
    return limit.connect(path, PIECE)
