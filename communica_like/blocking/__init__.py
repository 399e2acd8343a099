"""Everything for programs without an event loop: made of the async classes by one adaptor."""

from importlib import import_module
from typing import TYPE_CHECKING

from .entities.clients import RouteClient, SimpleClient
from .entities.servers import RouteServer, SimpleServer
from .portal.portal import Portal
from .worker.worker import Worker

__all__ = ["Portal", "RouteClient", "RouteServer", "SimpleClient", "SimpleServer", "Worker"]

if TYPE_CHECKING:
    from . import manager as manager
    from . import pipes as pipes
    from . import posixmq as posixmq
    from . import sysvmq as sysvmq
else:

    def __getattr__(name):
        # Imported when they are first used: clients and servers need none of them.
        if name not in ("manager", "pipes", "posixmq", "sysvmq"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f"{__name__}.{name}")
