"""Queues in a process of yours, as ipcq has them: a server, clients, and queues that all of them share.

``QueueManagerServer`` (server) holds queues, by the async ``QueueHost``, in threads of its process;
``ForegroundServer`` does so in a process that does nothing else. ``QueueManagerClient`` (client) finds them.
Both are managers of multiprocessing, and share ``QueueManager`` (base), which has the queues by their
idents. A ``ManagerQueue`` (queue) is the async one, used as a ``queue.Queue``. ``Address`` and ``AuthKey``
(address) name places and keys.

A call that can be answered at once is made on the calling thread, over the socket of the async queue. A call
that has to wait goes to the portal's loop, where the async ``get`` or ``put`` waits for it. An item is
leased to a call until the very step in which ``get`` returns it. So an interrupted call gives it back,
wherever it was.

A forked child makes the async objects anew, and connects when it first needs to.

What must not happen here: an item that is taken outside of the block that gives it back; a connection that
is not made by ``communica_like.managers``.
"""

from .address import Address, AuthKey
from .client import QueueManagerClient
from .queue import ManagerQueue
from .server import QueueManagerServer

__all__ = ["Address", "AuthKey", "ManagerQueue", "QueueManagerClient", "QueueManagerServer"]
