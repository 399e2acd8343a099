"""communica_like: requests and one-way messages between processes, on asyncio.

A program makes an *entity* of a *connector* and, if JSON will not do, a *serializer*. SimpleServer and
SimpleClient have one handler, RouteServer and RouteClient handlers by name. ``request()`` returns the
handler's result; ``throw()`` returns once the message is in a bounded outbox. Once connected, either side may
call the other.

A call passes through four floors. The entity (entities/) dumps the data and hands the bytes to a *session*
(session/), a state machine without I/O that numbers, acknowledges and replays messages as frames (wire/). The
session's driver writes them to a *link*, which the connector (connectors/) made and may replace. On the other
side the same floors lead up to a handler. blocking/ adapts all of it to programs without an event loop;
logging/ and testing/ are built on top. queues/ holds one-way queues, for users and for connectors.

This module only re-exports what users import. Connectors load on first use, and nothing here imports anyio.
"""

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
