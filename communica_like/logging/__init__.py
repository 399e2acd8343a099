"""Log records of many processes in one place.

``ThrowHandler`` (handler.py) is a logging.Handler. The thread that logs turns the record into JSON
(records.py) and leaves it in a bounded ``Backlog`` (backlog.py). One coroutine on the portal's loop, a
``Shipment`` (shipment.py), throws what is there to a ``LogServer`` (server.py), which hands each record to
the logging module of its own process. ``BlockingLogServer`` is the server for programs without an event loop.

A call to log never waits longer than ``block``, and never raises: records without room are dropped, counted,
and replaced by one record that names their number. Records of this library and of asyncio are left out, since
they may be about the handler itself. A forked child gets a backlog and a connection of its own.

Records travel as throws, so they arrive once and in order while the process lives; ``flush`` and ``close``
end with a request, the barrier, which the server answers after everything before it.
"""

from .handler import ThrowHandler
from .server import BlockingLogServer, LogServer

__all__ = ["BlockingLogServer", "LogServer", "ThrowHandler"]
