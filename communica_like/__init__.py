"""communica_like: processes that make requests of each other and throw messages, on asyncio."""

from . import exceptions
from .abc import Codec, Connector, Link, LinkReceiver, Listener, PeerIdentity, Serializer
from .connectors import LocalConnector, MemoryConnector, TcpConnector, connector_from
from .entities import (
    Backoff,
    ClientInfo,
    Context,
    RouteClient,
    RouteServer,
    RouteTable,
    SimpleClient,
    SimpleServer,
    threaded_handler,
)
from .exceptions import (
    Closed,
    CommunicaError,
    ConnectionLost,
    FeatureNotAvailable,
    MessageTooBig,
    ReqError,
    RequestTimeout,
    RespError,
    RouteOverrideError,
    SerializerError,
    UnknownError,
)
from .wire.limits import Limits

__all__ = [
    "Backoff",
    "ClientInfo",
    "Closed",
    "Codec",
    "CommunicaError",
    "ConnectionLost",
    "Connector",
    "Context",
    "FeatureNotAvailable",
    "Limits",
    "Link",
    "LinkReceiver",
    "Listener",
    "LocalConnector",
    "MemoryConnector",
    "MessageTooBig",
    "PeerIdentity",
    "ReqError",
    "RequestTimeout",
    "RespError",
    "RouteClient",
    "RouteOverrideError",
    "RouteServer",
    "RouteTable",
    "Serializer",
    "SerializerError",
    "SimpleClient",
    "SimpleServer",
    "TcpConnector",
    "UnknownError",
    "connector_from",
    "exceptions",
    "threaded_handler",
]
