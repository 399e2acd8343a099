"""communica_like: processes that make requests of each other and throw messages, on asyncio."""

from typing import TYPE_CHECKING, Any

from . import connectors, exceptions
from .abc import Codec, Connector, ConnectorGuarantees, Link, LinkReceiver, Listener, PeerIdentity, Serializer
from .connectors import connector_from
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

if TYPE_CHECKING:
    from .connectors import (
        FifoConnector,
        LocalConnector,
        ManagerConnector,
        MemoryConnector,
        PosixMQConnector,
        RmqConnector,
        RmqInboxConnector,
        StdioConnector,
        SysVConnector,
        TcpConnector,
    )

__all__ = [
    "Backoff",
    "ClientInfo",
    "Closed",
    "Codec",
    "CommunicaError",
    "ConnectionLost",
    "Connector",
    "ConnectorGuarantees",
    "Context",
    "FeatureNotAvailable",
    "FifoConnector",
    "Limits",
    "Link",
    "LinkReceiver",
    "Listener",
    "LocalConnector",
    "ManagerConnector",
    "MemoryConnector",
    "MessageTooBig",
    "PeerIdentity",
    "PosixMQConnector",
    "ReqError",
    "RequestTimeout",
    "RespError",
    "RmqConnector",
    "RmqInboxConnector",
    "RouteClient",
    "RouteOverrideError",
    "RouteServer",
    "RouteTable",
    "Serializer",
    "SerializerError",
    "SimpleClient",
    "SimpleServer",
    "StdioConnector",
    "SysVConnector",
    "TcpConnector",
    "UnknownError",
    "connector_from",
    "exceptions",
    "threaded_handler",
]


def __getattr__(name: str) -> Any:
    """Import a connector when it is first asked for: each brings along what others do not need."""
    if name in connectors.__all__:
        return getattr(connectors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
