"""The choice of a backend: a shared inbox where the connector has one, else sessions."""

from __future__ import annotations

from ..abc import Connector
from ..wire.limits import Limits
from .backends import ClientBackend, DuplicatePolicy, ServerBackend
from .backoff import Backoff
from .connection.acceptor import Acceptor
from .connection.reconnector import Reconnector
from .handling.runner import HandlerSet
from .inbox.acceptor import InboxAcceptor
from .inbox.reconnector import InboxReconnector


def client_backend(
    connector: Connector,
    client_id: str,
    limits: Limits,
    backoff: Backoff,
    handshake_timeout: float,
    handlers: HandlerSet,
) -> ClientBackend:
    """Return a new backend for a client, not connected yet."""
    inbox = connector.inbox()
    if inbox is not None:
        return InboxReconnector(connector, inbox, client_id, limits, backoff, handshake_timeout)
    return Reconnector(connector, client_id, limits, backoff, handshake_timeout, handlers)


def server_backend(
    connector: Connector,
    limits: Limits,
    duplicates: DuplicatePolicy,
    handshake_timeout: float,
    handlers: HandlerSet,
) -> ServerBackend:
    """Return a new backend for a server, not open yet."""
    inbox = connector.inbox()
    if inbox is not None:
        return InboxAcceptor(connector.dump_state(), inbox, limits, handlers)
    return Acceptor(connector, limits, handshake_timeout, duplicates, handlers)
