"""Clients, servers, queues and workers for programs without an event loop.

Every class here is a facade of an async one; there is no second implementation. ``facade.py`` makes a
blocking method of an async one, with its signature and docstring: the call runs on the event loop of a
*portal* (portal/), in a thread of its own, while the calling thread waits. All blocking objects of a process
share one portal, which starts with the first and ends with the last of them.

- entities/: SimpleServer, SimpleClient, RouteServer, RouteClient. Their handlers run in threads
  (handler_threads.py), so they may block. ``lifecycle.py`` keeps the portal while an entity is running.
- posixmq, sysvmq, pipes, manager: the classic queues, with the APIs of ipcqueue, turberfield-utils and ipcq.
  What they share is in queues/.
- worker/: Worker, a program that exchanges lines.

Any thread may use these objects. Ctrl-C ends a call at once, cancels its coroutine, and loses no item of a
queue. A blocking call on the portal's own thread would wait for itself, so it raises RuntimeError. After a
fork the child makes new entities; its queues open themselves anew. This is the only package that imports
anyio, when the first portal starts.
"""

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
