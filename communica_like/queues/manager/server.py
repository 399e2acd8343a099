"""QueueServer: the manager's server of a QueueHost, for our clients and for ipcq's."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from multiprocessing.reduction import ForkingPickler
from types import MappingProxyType
from typing import Any, Final

from ...managers.connection import SocketConnection
from ...managers.listening import ListeningAddress
from ...managers.peer import Address
from ...managers.server import ManagerServer
from .hosted_queue import HostedQueue
from .ipcq_proxy import IpcqProxy, ProxiedQueue
from .protocol import ATTACH_QUEUE, VERSION
from .server_loop import ServerLoop
from .service import QueueService

_EXPOSED: Final = (
    *("put", "get", "put_nowait", "get_nowait"),
    *("qsize", "empty", "full", "task_done", "join"),
)


class QueueServer(ManagerServer):
    """Makes a queue when its ident is first asked for, and keeps it as long as it serves.

    Args:
        address, authkey, max_items, registry: as for QueueHost.
    """

    def __init__(
        self, address: Address | None, authkey: bytes, max_items: int = 0,
        registry: Mapping[str, tuple[Any, ...]] = MappingProxyType({}),
    ) -> None:
        queues = {"get_queue": (self._proxied_queue, _EXPOSED, None, None)}
        super().__init__(ListeningAddress(address, authkey), authkey, {**queues, **registry})
        self.public.append(ATTACH_QUEUE)
        self._max_items = max_items
        self._queues: dict[Any, HostedQueue] = {}
        self._proxied: dict[Any, ProxiedQueue] = {}
        self._loop = ServerLoop(f"communica_like queues {self._where}")
        self._proxies = threading.local()
        self._queues_lock = threading.Lock()

    def queue(self, ident: Any, max_items: int = 0) -> HostedQueue:
        """Return the queue of this ident."""
        if not isinstance(ident, str | bytes | int | None):
            raise TypeError(f"the ident of a queue is a str, bytes, an int or None, not {ident!r}")
        with self._queues_lock:
            if ident not in self._queues:
                self._queues[ident] = HostedQueue(self._loop.when_heard, max_items or self._max_items)
            return self._queues[ident]

    def start(self) -> None:
        """Begin to serve."""
        try:
            self._loop.start()
            super().start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all connections, and wait for their threads, a few seconds at most."""
        self.stop_accepting()
        self._loop.stop()
        super().stop()

    def communica_like_queue(self, conn: SocketConnection, version: int, ident: Any, max_items: int) -> None:
        """Serve a ManagerQueue: from now on its connection carries frames."""
        if version != VERSION:
            raise ValueError(f"a client of version {version}; this server has version {VERSION}")
        hosted = self.queue(ident, max_items)
        answer = bytes(ForkingPickler.dumps(("#RETURN", hosted.max_items)))
        service = QueueService(self.keep(conn), hosted, self._loop)
        # The length that is before a frame is before multiprocessing's messages, too.
        self._loop.call(lambda: service.begin(len(answer).to_bytes(4) + answer))

    def serve_client(self, conn: Any) -> None:
        """Serve the proxies of one thread of another program, until it ends."""
        proxy = IpcqProxy(conn, self._loop)
        self._proxies.current = proxy
        conn.send = proxy.send
        try:
            super().serve_client(conn)
            raise SystemExit(0)  # at a stop: to return is to send None once more, as an answer to what comes
        finally:
            proxy.answered(False)

    def _proxied_queue(self, ident: Any = None) -> ProxiedQueue:
        hosted = self.queue(ident)
        with self._queues_lock:  # one for each queue: proxies may be dropped without a word
            return self._proxied.setdefault(ident, ProxiedQueue(hosted, self._proxies))
