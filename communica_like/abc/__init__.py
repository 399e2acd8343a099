"""What a connector, a link, a queue and a serializer promise. Start here to write your own."""

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
