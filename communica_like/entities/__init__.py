"""Clients and servers: what a user holds in the hand."""

from .backends import ClientInfo
from .backoff import Backoff
from .handling.context import Context
from .handling.handlers import threaded_handler
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
