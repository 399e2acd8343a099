"""ManagerServer: a manager's server in threads of this process."""

from __future__ import annotations

import contextlib
import errno
import logging
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from multiprocessing import AuthenticationError
from multiprocessing.managers import Server
from traceback import format_exc
from typing import Any, Final

from ..system import fork
from .connection import SocketConnection
from .handshake import NotAManager, greet_client
from .listening import ListeningAddress
from .peer import address_text, check_peer

logger = logging.getLogger("communica_like.queues")

_HANDSHAKE_TIMEOUT: Final = 5.0  # seconds, until the first request
_JOIN_TIMEOUT: Final = 5.0
_RETRY_INTERVAL: Final = 0.1


class ManagerServer(Server):
    """Serves the protocol of ``multiprocessing.managers`` on a listening socket.

    Each connection has a thread: one that is silent, that sends garbage or that ends in the middle harms no
    other. Nothing is unpickled before both sides have proved that they know the key. A connection that does
    not prove it in time is closed. Clients that have proved it may run code here: their requests are pickles.

    A subclass adds functions for clients: methods, whose names it adds to ``public``. Their first argument
    is the connection, which is closed when they return.

    Args:
        listening: where it serves; ``stop`` closes it.
        authkey: the key.
        registry: what clients may create, in the form that ``BaseManager.register`` makes.

    Attributes:
        address: as clients know it.
        listening: *listening*.
    """

    def __init__(
        self, listening: ListeningAddress, authkey: bytes, registry: Mapping[str, tuple[Any, ...]]
    ) -> None:
        # Not Server's own, which binds a socket itself, and takes the address of a live server.
        # Only the process that serves ends the server.
        self.public = [name for name in Server.public if name != "shutdown"]
        self.registry = dict(registry)
        self.authkey = authkey
        self.address = listening.address
        self._where = address_text(self.address)
        self.id_to_obj = {}
        self.id_to_refcount: dict[str, int] = {}
        self.id_to_local_proxy_obj: dict[str, Any] = {}
        self.mutex = threading.Lock()
        self.stop_event = threading.Event()
        self._ended = False
        self.listening = listening
        self._wake_end, self._waker = socket.socketpair()
        self._guard = threading.Lock()
        self._sockets: dict[socket.socket, int] = {}
        self._threads: set[threading.Thread] = set()
        self._accepter = threading.Thread(
            target=self._accept_all, name=f"communica_like manager {self._where}", daemon=True
        )

    def start(self) -> None:
        """Begin to serve."""
        for each in (self.listening.socket, self._wake_end, self._waker):
            fork.add(each.fileno())
        self._accepter.start()

    def stop_accepting(self) -> None:
        """Stop accepting connections, and let other servers use the address. May wait a moment."""
        if not self._ended:
            self._ended = True
            self.stop_event.set()
            self._waker.send(b"\0")
            if self._accepter.is_alive():
                self._accepter.join()
            for each in (self.listening.socket, self._wake_end, self._waker):
                fork.discard(each.fileno())
            for closing in (self.listening, self._wake_end, self._waker):
                closing.close()

    def stop(self) -> None:
        """End all connections as well, and wait for their threads, a few seconds at most."""
        self.stop_accepting()
        deadline = time.monotonic() + _JOIN_TIMEOUT
        with self._guard:
            for sock in self._sockets:
                with contextlib.suppress(OSError):  # the other side was faster
                    sock.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # -- for subclasses

    def keep(self, connection: SocketConnection) -> socket.socket:
        """Hand a connection's socket over to the caller, who closes it. ``stop`` does not."""
        with self._guard:
            self._forget(connection.socket)
        return connection.detach()

    # -- the accepter's thread

    def _accept_all(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.listening.socket, selectors.EVENT_READ)
            selector.register(self._wake_end, selectors.EVENT_READ)
            while not self.stop_event.is_set():
                selector.select()
                try:
                    sock, _ = self.listening.socket.accept()
                except (BlockingIOError, InterruptedError, ConnectionError):
                    continue
                except OSError as exc:
                    logger.error("a manager at %s cannot accept: %s", self.address, exc)
                    if exc.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                        return
                    self.stop_event.wait(_RETRY_INTERVAL)
                    continue
                self._welcome(sock)

    def _welcome(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        if sock.family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        connection = SocketConnection(sock)
        thread = threading.Thread(target=self.handle_request, args=(connection,), daemon=True)
        with self._guard:
            self._sockets[sock] = sock.fileno()
            fork.add(sock.fileno())
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as exc:  # no more threads
            logger.error("a manager at %s cannot serve a connection: %s", self.address, exc)
            with self._guard:
                self._forget(sock)
                self._threads.discard(thread)
            connection.close()

    # -- a connection's thread

    def handle_request(self, conn: Any) -> None:
        """Serve one connection, until it ends."""
        try:
            self._handle_request(conn)
        except SystemExit:
            pass  # how the standard library's loop for proxies ends
        finally:
            with self._guard:
                self._forget(conn.socket)  # also of a connection that the loop for proxies has closed
                self._threads.discard(threading.current_thread())
                conn.close()

    def _handle_request(self, conn: Any) -> None:
        try:
            check_peer(conn.socket, self._where, self.authkey)
            conn.limit(_HANDSHAKE_TIMEOUT)
            greet_client(conn, self.authkey)
        except (AuthenticationError, AssertionError, NotAManager, EOFError, OSError) as exc:
            logger.info("a manager at %s refuses a client: %r", self.address, exc)
            return
        try:
            request = conn.recv()
        except (EOFError, OSError):
            return
        except Exception:
            request = None  # an unloadable pickle
        conn.limit(None)
        try:
            _, name, args, kwds = request
            if name not in self.public:
                raise AttributeError(f"{name!r} unrecognized")
            answer = "#RETURN", getattr(self, name)(conn, *args, **kwds)
        except Exception:
            answer = "#TRACEBACK", format_exc()
        if not conn.closed:  # nor kept
            with contextlib.suppress(OSError):  # it is gone, and will not miss it
                conn.send(answer)

    # -- the guard is held

    def _forget(self, sock: socket.socket) -> None:
        descriptor = self._sockets.pop(sock, None)
        if descriptor is not None:
            fork.discard(descriptor)
