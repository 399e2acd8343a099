"""The manager's server of a QueueHost: queues by their idents, for our clients and for ipcq's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ...managers.client import ATTACH_QUEUE
from ...managers.connection import SocketConnection
from ...managers.server import ManagerServer
from .hosted_queue import HostedQueue
from .ipcq_proxy import BlockingCaller, _ProxiedQueue, _ProxyConnection
from .protocol import VERSION
from .server_loop import FrameLoop
from .service import QueueService

__all__ = ["QueueServer"]

_EXPOSED: Final = (
    *("put", "get", "put_nowait", "get_nowait"),
    *("qsize", "empty", "full", "task_done", "join"),
)


class QueueServer(ManagerServer):
    """Makes a queue when its ident is first asked for, and keeps it as long as it serves.

    Args:
        listening, address, authkey: as for ManagerServer.
        max_items: of queues whose first user does not say how many items they hold; 0: any number.
        registry: what clients may create beside queues.
    """

    def __init__(
        self,
        listening: socket.socket,
        address: Any,
        authkey: bytes,
        max_items: int = 0,
        registry: Mapping[str, tuple[Any, ...]] = MappingProxyType({}),
    ) -> None:
        # What a proxy is, is the clients' affair.
        queues = {"get_queue": (self._proxied, _EXPOSED, None, None)}
        super().__init__(listening, address, authkey, {**queues, **registry})
        self.public.append(ATTACH_QUEUE)
        self._max_items = max_items
        self._queues: dict[Any, HostedQueue] = {}
        self._proxies: dict[Any, _ProxiedQueue] = {}
        self._loop = FrameLoop(f"communica_like queues {address}")
        self._callers = threading.local()
        self._mutex = threading.Lock()

    def queue(self, ident: Any, max_items: int = 0) -> HostedQueue:
        """Return the queue of this ident."""
        _check_ident(ident)
        with self._mutex:
            if ident not in self._queues:
                self._queues[ident] = HostedQueue(self._loop, max_items or self._max_items)
            return self._queues[ident]

    def start(self) -> None:
        """Begin to serve."""
        self._loop.start()
        super().start()

    def stop(self) -> None:
        """End all connections, and wait for their threads, a few seconds at most."""
        self.stop_accepting()
        self._loop.stop()
        super().stop()

    # -- our clients

    def communica_like_queue(self, conn: SocketConnection, version: int, ident: Any, max_items: int) -> None:
        """Serve a ManagerQueue."""
        if version != VERSION:
            raise ValueError(f"a client of version {version}; this server has version {VERSION}")
        hosted = self.queue(ident, max_items)
        conn.send(("#RETURN", hosted.max_items))
        QueueService(self.keep(conn), hosted, self._loop)

    # -- programs that use the manager's own protocol

    def serve_client(self, conn: Any) -> None:
        """Serve the proxies of one thread of another program, until it ends."""
        caller = BlockingCaller(conn)
        self._callers.current = caller
        try:
            super().serve_client(_ProxyConnection(conn, caller))  # type: ignore[arg-type]
        finally:
            caller.leave()

    def _proxied(self, ident: Any = None) -> _ProxiedQueue:
        hosted = self.queue(ident)
        with self._mutex:
            if ident not in self._proxies:
                self._proxies[ident] = _ProxiedQueue(hosted, self._callers)
            return self._proxies[ident]


def _check_ident(ident: Any) -> None:
    if not isinstance(ident, str | bytes | int | None):
        raise TypeError(f"the ident of a queue is a str, bytes, an int or None, not {ident!r}")
