"""The library as its users meet it: a SimpleServer and a SimpleClient over a local socket."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from benchmarks.arena import Handler
from communica_like import LocalConnector, SimpleClient, SimpleServer
from communica_like.serializers import OrjsonSerializer

__all__ = ["connect", "serve"]


def serve(path: str, handler: Handler) -> AbstractAsyncContextManager[object]:
    """Serve *handler* at the Unix socket *path*."""
    return SimpleServer(LocalConnector(path), handler, serializer=OrjsonSerializer())


def connect(path: str) -> AbstractAsyncContextManager[SimpleClient]:
    """Open one connection to the server at *path*."""
    return SimpleClient(LocalConnector(path), serializer=OrjsonSerializer())
