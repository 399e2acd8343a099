"""A thread that calls a HostedQueue as it would call a queue.Queue, and waits in it."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from multiprocessing.connection import wait
from typing import Any

from ...managers.connection import SocketConnection
from .hosted_queue import HostedQueue
from .protocol import Frame, Item, Kind

__all__ = ["BlockingCaller"]


class BlockingCaller:
    """Calls for a program that uses the manager's own protocol, with no last word on what it was given.

    Args:
        connection: the program's; while a call waits, its end is noticed.

    Raises (all calls that return something, or wait):
        SystemExit: the connection ended, and so does its thread. No item was taken, none was put.
    """

    apart = True

    def __init__(self, connection: SocketConnection) -> None:
        self._connection = connection
        self._wake_end, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._lock = threading.Lock()
        self._number = 0
        self._answer: Frame | None = None
        self._unanswered: tuple[HostedQueue, int] | None = None

    def get(self, source: HostedQueue, block: bool, timeout: float | None) -> Item:
        """Take an item; it is given back if ``answered(False)`` follows."""
        number = self._begin(source)
        if not block or (timeout is not None and timeout <= 0):
            source.try_item(self, number)
            self._wait(None)
        else:
            source.ask_item(self, number)
            self._wait(timeout)
            source.withdraw(self, number)  # it may have come just now
        item = self._answer.item if self._answer is not None else None
        if item is None:
            self._unanswered = None
            raise queue.Empty
        return item

    def put(self, sink: HostedQueue, obj: Any, block: bool, timeout: float | None) -> None:
        """Put an object."""
        item = obj if isinstance(obj, Item) else Item.of(obj)
        number = self._begin(sink)
        if not block or (timeout is not None and timeout <= 0):
            sink.try_room(self, number)
            self._wait(None)
        else:
            sink.ask_room(self, number)
            self._wait(timeout)
            sink.withdraw(self, number)
        self._unanswered = None
        if self._answer is None or self._answer.kind is not Kind.ROOM:
            raise queue.Full
        sink.fill(self, number, item)

    def join(self, source: HostedQueue) -> None:
        """Wait until work on all that was put is done."""
        source.ask_join(self, self._begin(source))
        self._wait(None)
        self._unanswered = None

    def qsize(self, source: HostedQueue) -> int:
        """Return how many items there are."""
        source.ask_size(self, self._begin(source))
        self._wait(None)
        self._unanswered = None
        return self._answer.value if self._answer is not None else 0

    def answered(self, sent: bool) -> None:
        """The answer was sent to the program, or it could not be."""
        if self._unanswered is not None:
            source, number = self._unanswered
            self._unanswered = None
            if sent:
                source.taken(self, number)
            else:
                source.back(self, number)

    def leave(self) -> None:
        """The program is gone."""
        self.answered(False)
        self._wake_end.close()
        self._waker.close()

    # -- the queue's side: see Claimer

    def tell(self, kind: Kind, number: int, item: Item | None = None, value: int = 0) -> None:
        with self._lock:
            if number == self._number:
                self._answer = Frame(kind, number, item, value)
                with contextlib.suppress(OSError):  # it is awake, or gone
                    self._waker.send(b"\0")

    def alive(self) -> bool:
        # It is in the middle of a call, and has nothing to say but its end.
        return not self._connection.closed and not wait([self._connection], 0)

    # --

    def _begin(self, queue: HostedQueue) -> int:
        with self._lock:
            self._number += 1
            self._answer = None
            self._unanswered = queue, self._number
            return self._number

    def _wait(self, timeout: float | None) -> None:
        """Wait until there is an answer, or the time is over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._answer is None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = wait([self._wake_end, self._connection], left)
            if self._wake_end in ready:
                self._wake_end.recv(4096)
            elif self._connection in ready:
                raise SystemExit(0)  # see alive
            elif not ready:
                return


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
