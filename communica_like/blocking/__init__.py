"""Everything for programs without an event loop: made of the async classes by one adaptor."""

from .clients import RouteClient, SimpleClient
from .portal import Portal
from .servers import RouteServer, SimpleServer
from .worker import Worker

__all__ = ["Portal", "RouteClient", "RouteServer", "SimpleClient", "SimpleServer", "Worker"]
