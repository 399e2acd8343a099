"""IpcqProxy: calls on a HostedQueue for a program that uses the manager's own protocol."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from ...managers.connection import SocketConnection
from .hosted_queue import HostedQueue
from .protocol import Frame, Item, Kind
from .server_loop import ServerLoop


class IpcqProxy:
    """Makes the calls of one thread of another program, in a thread of the host.

    The loop makes them on the queues. While a call waits, the loop reads the program's connection, too, which
    has nothing to say then but its end.

    Args:
        connection: the program's.
        loop: the host's.

    Attributes:
        leased: whether the last answer holds an item, which the program has not been sent yet.
    """

    def __init__(self, connection: SocketConnection, loop: ServerLoop) -> None:
        self._connection = connection
        self._descriptor = connection.fileno()
        self._loop = loop
        self._number = 0
        self._answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._queue: HostedQueue | None = None  # of the call that was made last
        self.leased = False

    def ask(
        self, queue_: HostedQueue, call: Callable[..., object], *arguments: Any, limit: float | None
    ) -> Frame:
        """Ask a queue, which answers at once after *limit* seconds.

        Raises:
            SystemExit: the connection ended, and so does its thread. No item was taken, none was put.
        """
        self._queue = queue_
        self._number += 1
        self._loop.call(partial(self._begin, call, *arguments))
        answer: Frame | None
        try:
            answer = self._answers.get(timeout=None if limit is None else max(0.0, limit))
        except queue.Empty:
            self.state(HostedQueue.now)
            answer = self._answers.get()
        if answer is None:
            raise SystemExit(0)
        return answer

    def state(self, call: Callable[..., object]) -> None:
        """Tell the queue something of what was asked last."""
        self._loop.call(partial(call, self._queue, self, self._number))

    def send(self, answer: Any) -> None:
        """Send an answer to the program: acknowledge its item, or give it back if that fails."""
        try:
            SocketConnection.send(self._connection, answer)
        except BaseException:
            self.answered(False)
            raise
        self.answered(True)

    def answered(self, sent: bool) -> None:
        """Acknowledge the item of the last answer, or give it back."""
        if self.leased:
            self.leased = False
            self.state(HostedQueue.ack if sent else HostedQueue.back)

    # -- the queue's side: see Client

    def tell(self, kind: Kind, number: int, item: Item | None = None, size: int = 0, used: int = 0) -> None:
        if kind is not Kind.LATER:
            self._loop.dismiss(self)
            self._answers.put(Frame(kind, number, item, size, used))

    # -- the loop's side: see Member

    def fileno(self) -> int:
        return self._descriptor

    def receive(self, to_the_end: bool) -> bool:
        return False

    def send_rest(self) -> bool:
        return True

    def ended(self) -> None:
        if self._queue is not None:
            self._queue.leave(self)
        self._answers.put(None)

    # --

    def _begin(self, call: Callable[..., object], *arguments: Any) -> None:
        self._loop.admit(self)
        call(self._queue, self, self._number, *arguments)


class ProxiedQueue:
    """What a proxy's calls are made on: a queue.Queue, as far as ipcq shows of one.

    Args:
        hosted: the queue.
        proxies: where each thread of the host has its IpcqProxy, as ``current``.
    """

    def __init__(self, hosted: HostedQueue, proxies: threading.local) -> None:
        self._hosted = hosted
        self._proxies = proxies

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        made = item if isinstance(item, Item) else Item.of(item)
        if self._ask(HostedQueue.put, made, limit=timeout if block else 0.0).kind is not Kind.ROOM:
            raise queue.Full
        self._proxies.current.state(HostedQueue.commit)

    def get(self, block: bool = True, timeout: float | None = None) -> Item:
        item = self._ask(HostedQueue.get, limit=timeout if block else 0.0).item
        if item is None:
            raise queue.Empty
        self._proxies.current.leased = True
        return item

    def put_nowait(self, item: Any) -> None:
        self.put(item, False)

    def get_nowait(self) -> Item:
        return self.get(False)

    def qsize(self) -> int:
        return self._ask(HostedQueue.size).size

    def empty(self) -> bool:
        return not self.qsize()

    def full(self) -> bool:
        return 0 < self._hosted.max_items <= self._ask(HostedQueue.size).used

    def task_done(self) -> None:
        if self._ask(HostedQueue.task_done).kind is Kind.REFUSED:
            raise ValueError("task_done() called too many times")

    def join(self) -> None:
        self._ask(HostedQueue.join)

    def _ask(self, call: Callable[..., object], *arguments: Item, limit: float | None = None) -> Frame:
        proxy: IpcqProxy = self._proxies.current
        return proxy.ask(self._hosted, call, *arguments, limit=limit)
