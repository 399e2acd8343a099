"""The interfaces that parts of this library, and your own, implement and use. Start here to write your own.

A *serializer* turns objects into bytes and back (``Serializer``, ``Codec``).

A *connector* is how two sides find each other: an address and secrets, as a value that can be compared,
pickled and written as a URL (``Connector``). It gives a client links to its server, and the server a
``Listener`` that accepts them. A *link* carries bytes both ways, in order, until it breaks (``Link``); it
reports to a ``LinkReceiver``. Links promise little. What users are promised (one outcome for each request, no
message lost or doubled, limits, authentication) is made of them by the session above, once for all
connectors.

A *shared inbox* is what a connector offers instead of links, where a broker keeps messages and several
servers share the work (``SharedInbox``).

A *queue* is a one-way channel of items (``AsyncQueue``). It has nothing to do with links and sessions.

Two dataclasses say in which ways a medium differs from others: ``ConnectorGuarantees`` and ``Guarantees``.
What all have in common is not in them: the classes' docstrings state it, and ``communica_like.testing``
checks it.

Nothing here does anything. The package imports nothing but the exceptions, so that any layer can use it.
"""

from .connector import Connector, ConnectorGuarantees
from .link import Link, LinkReceiver, Listener
from .peer import PeerIdentity
from .queue import AsyncQueue, Guarantees
from .serializer import Codec, Serializer

__all__ = [
    "AsyncQueue",
    "Codec",
    "Connector",
    "ConnectorGuarantees",
    "Guarantees",
    "Link",
    "LinkReceiver",
    "Listener",
    "PeerIdentity",
    "Serializer",
]
