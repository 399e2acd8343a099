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

    Raises (all calls):
        SystemExit: the connection ended, and so does its thread. No item was taken, none was put.
    """

    def __init__(self, connection: SocketConnection, loop: ServerLoop) -> None:
        self._connection = connection
        self._descriptor = connection.fileno()
        self._loop = loop
        self._number = 0
        self._answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._queue: HostedQueue | None = None  # of the call that was made last
        self._leased = False

    def get(self, source: HostedQueue, block: bool, timeout: float | None) -> Item:
        """Lease an item, until it is sent to the program."""
        answer = self._ask(source, source.get, timeout=timeout if block else 0.0)
        if answer.item is None:
            raise queue.Empty
        self._leased = True
        return answer.item

    def put(self, sink: HostedQueue, obj: Any, block: bool, timeout: float | None) -> None:
        """Put an object."""
        item = obj if isinstance(obj, Item) else Item.of(obj)
        answer = self._ask(sink, sink.put, item, timeout=timeout if block else 0.0)
        if answer.kind is not Kind.ROOM:
            raise queue.Full
        self._loop.call(partial(sink.commit, self, self._number))

    def join(self, source: HostedQueue) -> None:
        """Wait until work on all that was put is done."""
        self._ask(source, source.join)

    def task_done(self, source: HostedQueue) -> None:
        """Count the work on an item as done."""
        if self._ask(source, source.task_done).kind is Kind.REFUSED:
            raise ValueError("task_done() called too many times")

    def size(self, source: HostedQueue) -> Frame:
        """Return how many items there are, and places taken."""
        return self._ask(source, source.size)

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
        if self._leased and self._queue is not None:
            self._leased = False
            self._loop.call(partial(self._queue.ack if sent else self._queue.back, self, self._number))

    # -- the queue's side: see Client

    def tell(self, kind: Kind, number: int, item: Item | None = None, size: int = 0, used: int = 0) -> None:
        if kind is Kind.LATER:
            return
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

    def _ask(
        self, queue_: HostedQueue, call: Callable[..., object], *arguments: Any, timeout: float | None = None
    ) -> Frame:
        self._queue = queue_
        self._number += 1
        self._loop.call(partial(self._begin, call, self._number, *arguments))
        answer: Frame | None
        try:
            answer = self._answers.get(timeout=None if timeout is None else max(0.0, timeout))
        except queue.Empty:
            self._loop.call(partial(queue_.now, self, self._number))
            answer = self._answers.get()
        if answer is None:
            raise SystemExit(0)
        return answer

    def _begin(self, call: Callable[..., object], number: int, *arguments: Any) -> None:
        self._loop.admit(self)
        call(self, number, *arguments)


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
        self._proxy().put(self._hosted, item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Item:
        return self._proxy().get(self._hosted, block, timeout)

    def put_nowait(self, item: Any) -> None:
        self.put(item, False)

    def get_nowait(self) -> Item:
        return self.get(False)

    def qsize(self) -> int:
        return self._proxy().size(self._hosted).size

    def empty(self) -> bool:
        return not self.qsize()

    def full(self) -> bool:
        return 0 < self._hosted.max_items <= self._proxy().size(self._hosted).used

    def task_done(self) -> None:
        self._proxy().task_done(self._hosted)

    def join(self) -> None:
        self._proxy().join(self._hosted)

    def _proxy(self) -> IpcqProxy:
        proxy: IpcqProxy = self._proxies.current
        return proxy
