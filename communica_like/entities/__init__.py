"""Clients and servers: what a user holds in the hand."""

from .backoff import Backoff
from .context import Context
from .handlers import threaded_handler
from .reception import ClientInfo
from .route import RouteClient, RouteServer
from .routes import RouteTable
from .simple import SimpleClient, SimpleServer

__all__ = [
    "Backoff",
    "ClientInfo",
    "Context",
    "RouteClient",
    "RouteServer",
    "RouteTable",
    "SimpleClient",
    "SimpleServer",
    "threaded_handler",
]
