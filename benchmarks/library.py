"""The library as its users meet it: a SimpleServer and a SimpleClient over any of its connectors."""

from __future__ import annotations

from benchmarks.arena import Handler
from communica_like import SimpleClient, SimpleServer, connector_from
from communica_like.serializers import OrjsonSerializer

__all__ = ["connect", "serve"]


def serve(url: str, handler: Handler) -> SimpleServer:
    """Serve *handler* at the connector's *url*."""
    return SimpleServer(connector_from(url), handler, serializer=OrjsonSerializer())


def connect(url: str) -> SimpleClient:
    """Open one connection to the server at *url*."""
    return SimpleClient(connector_from(url), serializer=OrjsonSerializer())
