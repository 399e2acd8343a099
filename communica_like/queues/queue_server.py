"""The manager's server of a QueueHost: queues by their idents, for our clients and for ipcq's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from .blocking_caller import BlockingCaller
from .frame_loop import FrameLoop
from .hosted_queue import HostedQueue
from .manager_dial import ATTACH_QUEUE
from .manager_frames import VERSION, Item
from .manager_server import ManagerServer
from .queue_service import QueueService
from .socket_connection import SocketConnection

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


class _ProxiedQueue:
    """What a proxy's calls are made on: a queue.Queue, as far as ipcq shows of one."""

    def __init__(self, hosted: HostedQueue, callers: threading.local) -> None:
        self._hosted = hosted
        self._callers = callers

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self._caller().put(self._hosted, item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Item:
        return self._caller().get(self._hosted, block, timeout)

    def put_nowait(self, item: Any) -> None:
        self.put(item, False)

    def get_nowait(self) -> Item:
        return self.get(False)

    def qsize(self) -> int:
        return self._caller().qsize(self._hosted)

    def empty(self) -> bool:
        return not self.qsize()

    def full(self) -> bool:
        return 0 < self._hosted.max_items <= self.qsize()

    def task_done(self) -> None:
        if not self._hosted.task_done():
            raise ValueError("task_done() called too many times")

    def join(self) -> None:
        self._caller().join(self._hosted)

    def _caller(self) -> BlockingCaller:
        caller: BlockingCaller = self._callers.current
        return caller


class _ProxyConnection:
    """A connection that tells the caller what became of an answer."""

    def __init__(self, connection: SocketConnection, caller: BlockingCaller) -> None:
        self._caller = caller
        self._connection = connection
        self.recv = connection.recv
        self.close = connection.close

    def send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except BaseException:
            self._caller.answered(False)
            raise
        self._caller.answered(True)


def _check_ident(ident: Any) -> None:
    if not isinstance(ident, str | bytes | int | None):
        raise TypeError(f"the ident of a queue is a str, bytes, an int or None, not {ident!r}")
