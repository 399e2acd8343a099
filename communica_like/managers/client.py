"""Connecting to a manager's server, and calling it. Blocking, but not for long."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from functools import partial
from multiprocessing import AuthenticationError as KeyRefused
from multiprocessing import managers
from typing import Any, Final

from ..exceptions import AuthenticationError, LinkError, LinkRefused
from .connection import SocketConnection
from .handshake import NotAManager, greet_server
from .peer import Address, address_text, check_key, check_peer

_TIMEOUT: Final = 5.0  # seconds: to connect; for the handshake; for a request


class WrongManagerKey(AuthenticationError, KeyRefused):
    """Is multiprocessing's own exception, too, which its users expect."""


class Attempt:
    """One attempt to connect, which another thread can end for certain."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._over = False

    def begin(self, sock: socket.socket) -> None:
        """Register the socket; nothing was read from it yet.

        Raises:
            LinkError: the attempt was ended.
        """
        with self._lock:
            if self._over:
                raise LinkError("the attempt to connect was given up")
            self._socket = sock

    def end(self) -> None:
        """End the attempt. From now on nothing is read or sent."""
        with self._lock:
            self._over = True
            if self._socket is not None:
                with contextlib.suppress(OSError):  # it has ended already
                    self._socket.shutdown(socket.SHUT_RDWR)


def dial(
    address: Address, authkey: bytes, *, foreign: bool = False, attempt: Attempt | None = None
) -> SocketConnection:
    """Return a connection to the manager's server at *address*, which knows the key.

    Args:
        foreign: whether another program's server is welcome, too. See SocketConnection.foreign.
        attempt: may end this.

    Raises:
        LinkRefused: no process serves it.
        AuthenticationError: it has another key.
        InsecureAddress: everybody knows the key, and the kernel cannot tell whose the server is.
        PeerNotTrusted: it is another user's.
        LinkError: anything else, such as a server that does not answer within a few seconds.
    """
    check_key(address, authkey)
    where = address_text(address)
    try:
        sock = _connected(address)
    except (ConnectionRefusedError, FileNotFoundError) as exc:
        raise LinkRefused(f"no manager serves {where}: {exc.strerror}") from exc
    except OSError as exc:
        raise LinkError(f"cannot connect to the manager at {where}: {exc}") from exc
    connection = SocketConnection(sock)
    try:
        if attempt is not None:
            attempt.begin(sock)
        check_peer(sock, where, authkey)
        connection.limit(_TIMEOUT)
        connection.foreign = not greet_server(connection, authkey, foreign=foreign)
        connection.limit(None)
    except BaseException as exc:
        connection.close()
        if isinstance(exc, LinkError):
            raise
        # What 3.11 asserts, later versions call a matter of the key.
        if isinstance(exc, KeyRefused) and not str(exc).startswith(("Protocol error", "challenge too short")):
            raise WrongManagerKey(f"the manager at {where} has another authkey") from exc
        if isinstance(exc, TimeoutError | BlockingIOError):
            raise LinkError(f"the manager at {where} does not answer") from exc
        if isinstance(exc, EOFError | ConnectionError):
            raise LinkError(f"the manager at {where} ended the connection during the handshake") from exc
        if isinstance(exc, OSError | AssertionError | KeyRefused | NotAManager):
            raise LinkError(f"what serves {where} is no manager of communica_like: {exc}") from exc
        raise
    return connection


class _Serializer(str):
    """A name by which multiprocessing's managers and proxies find ``dial``, wherever they are unpickled."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Serializer, (str(self),)  # to load it is to import this module


SERIALIZER: Final = _Serializer("communica_like")
"""For ``BaseManager(serializer=)``: pickle, on connections that ``dial`` makes."""

_known: dict[str, Any] = managers.listener_client  # type: ignore[attr-defined]
_known[SERIALIZER] = _known["pickle"][0], partial(dial, foreign=True)


def request(
    connection: SocketConnection, ident: str | None, method: str, *arguments: Any,
    timeout: float | None = None,
) -> Any:
    """Call a server's function, or a method of one of its objects.

    Args:
        timeout: seconds; None: some.

    Raises:
        LinkError: the connection ended, or there was no answer in time.
        Exception: what the other side raised.
    """
    connection.limit(_TIMEOUT if timeout is None else timeout)
    try:
        return managers.dispatch(connection, ident, method, arguments)  # type: ignore[attr-defined]
    except (TimeoutError, BlockingIOError) as exc:
        raise LinkError("the manager does not answer") from exc
    except (EOFError, ConnectionError) as exc:
        raise LinkError("the manager ended the connection") from exc
    finally:
        connection.limit(None)


def _connected(address: Address) -> socket.socket:
    if isinstance(address, tuple):
        sock = socket.create_connection(address, _TIMEOUT)
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        if sock.getsockname() == sock.getpeername():
            # A port in the ephemeral range that is not served may connect to itself.
            sock.close()
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        return sock
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(_TIMEOUT)  # of waiting while the server's backlog is full
        sock.connect(address)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock
