"""communica_like: requests and one-way messages between processes, on asyncio."""

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
    AddressInUse,
    AuthenticationError,
    ClientIdInUse,
    Closed,
    CommunicaError,
    ConnectionLost,
    ConnectTimeout,
    FeatureNotAvailable,
    HandlerError,
    HandshakeError,
    InsecureAddress,
    LinkError,
    LinkRefused,
    LocalProtocolError,
    MessageTooBig,
    NoSuchRoute,
    PeerGone,
    PeerNotTrusted,
    ProtocolError,
    QueueLimitReached,
    RemoteProtocolError,
    ReqError,
    RequestTimeout,
    RespError,
    RouteOverrideError,
    SerializerError,
    UnknownError,
    VersionMismatch,
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
    "AddressInUse",
    "AuthenticationError",
    "Backoff",
    "ClientIdInUse",
    "ClientInfo",
    "Closed",
    "Codec",
    "CommunicaError",
    "ConnectTimeout",
    "ConnectionLost",
    "Connector",
    "ConnectorGuarantees",
    "Context",
    "FeatureNotAvailable",
    "FifoConnector",
    "HandlerError",
    "HandshakeError",
    "InsecureAddress",
    "Limits",
    "Link",
    "LinkError",
    "LinkReceiver",
    "LinkRefused",
    "Listener",
    "LocalConnector",
    "LocalProtocolError",
    "ManagerConnector",
    "MemoryConnector",
    "MessageTooBig",
    "NoSuchRoute",
    "PeerGone",
    "PeerIdentity",
    "PeerNotTrusted",
    "PosixMQConnector",
    "ProtocolError",
    "QueueLimitReached",
    "RemoteProtocolError",
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
    "VersionMismatch",
    "connector_from",
    "exceptions",
    "threaded_handler",
]

__version__ = "0.1.0"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import a connector at its first use, because each brings along what others do not need."""
    if name in connectors.__all__:
        return getattr(connectors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
