"""Clients and servers: what users hold in their hands.

A call passes four rooms:

- simple.py, route.py: the four public classes. They turn data into bytes and back (``Codecs``), and name
  the handlers (routes.py).
- client.py, server.py, on entity.py: start, ``run()``, signals, ``close()``. An entity owns a pool of tasks
  for its handlers, and, from ``init()`` to ``close()``, one backend.
- backends.py: the face of what they stand on, with two implementations: connection/, sessions over links,
  and inbox/, a shared inbox at a broker, which has no sessions. The connector decides which.
- handling/: what a handler is, and the one way in which both backends run handlers.

A request goes ``SimpleClient.request`` -> ``Channel.request`` (a SessionCalls or an InboxCalls) -> link or
broker. Its message arrives at a dispatcher of the other side, which runs the handler
and responds. ``close()`` goes the same way for both: refuse calls, drain, cancel handlers, end, disconnect.

No module here imports a connector, anyio, or knows of a medium. ``connection`` and ``inbox`` do not import
each other, and ``handling`` imports neither. An entity belongs to one event loop and is not thread-safe;
the threads of ``blocking`` come in through that loop.
"""

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
