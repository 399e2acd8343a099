"""Connecting to a manager's server, and proving to know the key. Blocking, but not for long."""

from __future__ import annotations

import errno
import socket
from multiprocessing import AuthenticationError as KeyRefused
from multiprocessing import managers
from multiprocessing.connection import answer_challenge, deliver_challenge
from typing import Any, Final

from ..exceptions import AuthenticationError, LinkError, LinkRefused
from .connection import SocketConnection, limit_time

__all__ = ["ATTACH_QUEUE", "Address", "address_text", "dial", "request"]

Address = str | tuple[str, int]

ATTACH_QUEUE: Final = "communica_like_queue"

_PATIENCE: Final = 5.0  # seconds for each read and write


class _AnotherKey(AuthenticationError, KeyRefused):
    """Users of multiprocessing expect its own exception."""


def address_text(address: Address) -> str:
    """Return an address as messages show it."""
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"


def dial(address: Address, authkey: bytes) -> SocketConnection:
    """Return a connection to the manager's server at *address*, which knows the key.

    Raises:
        LinkRefused: nobody serves there.
        AuthenticationError: it has another key.
        LinkError: anything else; a server that does not answer within a few seconds among them.
    """
    where = address_text(address)
    try:
        connection = SocketConnection(_connected(address))
    except (ConnectionRefusedError, FileNotFoundError) as exc:
        raise LinkRefused(f"no manager serves {where}: {exc.strerror}") from exc
    except OSError as exc:
        raise LinkError(f"cannot connect to the manager at {where}: {exc}") from exc
    try:
        answer_challenge(connection, authkey)
        deliver_challenge(connection, authkey)
    except BaseException as exc:
        connection.close()
        # What 3.11 asserts, later versions call a matter of the key.
        if isinstance(exc, KeyRefused) and not str(exc).startswith(("Protocol error", "challenge too short")):
            raise _AnotherKey(f"the manager at {where} has another authkey") from exc
        if isinstance(exc, BlockingIOError):
            raise LinkError(f"the manager at {where} does not answer") from exc
        if isinstance(exc, EOFError | ConnectionError):
            raise LinkError(f"the manager at {where} ended the connection during the handshake") from exc
        if isinstance(exc, OSError | AssertionError | KeyRefused):
            raise LinkError(f"what serves {where} is no manager: {exc}") from exc
        raise
    return connection


def request(connection: SocketConnection, ident: str | None, method: str, *arguments: Any) -> Any:
    """Return what a server's function, or a method of one of its objects, returns.

    Raises:
        LinkError: the connection ended, or there was no answer within a few seconds.
        Exception: what the other side raised.
    """
    try:
        return managers.dispatch(connection, ident, method, arguments)  # type: ignore[attr-defined]
    except BlockingIOError as exc:
        raise LinkError("the manager does not answer") from exc
    except (EOFError, ConnectionError) as exc:
        raise LinkError("the manager ended the connection") from exc


def _connected(address: Address) -> socket.socket:
    if isinstance(address, tuple):
        sock = socket.create_connection(address, _PATIENCE)
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        if sock.getsockname() == sock.getpeername():
            # A port in the ephemeral range that nobody serves may connect to itself.
            sock.close()
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        limit_time(sock, _PATIENCE)
        return sock
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        limit_time(sock, _PATIENCE)  # of waiting while the server's backlog is full, too
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock
