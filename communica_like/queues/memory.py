"""MemoryQueue: a queue within one process, the reference of what all queues do."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from typing import Any

from ..abc import Guarantees, Serializer
from ..aio.waiters import Waiters
from ..exceptions import MessageTooBig
from ..serializers import PickleSerializer
from .base import WaitingQueue


class MemoryQueue(WaitingQueue):
    """A queue within one process, for tests of programs that use another queue.

    Items are dumped and loaded as in the other queues, so an item that does not survive that is found here.
    Any thread may use the ``_nowait`` methods; an event loop in another thread that waits is told.

    Args:
        max_items: how many items it holds.
        max_item_size: bytes of the largest dumped item; None: no limit.
        serializer: by default PickleSerializer().

    Raises:
        ValueError: *max_items* is less than 1.
    """

    def __init__(
        self, max_items: int = 10, max_item_size: int | None = None, serializer: Serializer | None = None
    ) -> None:
        if max_items < 1:
            raise ValueError(f"max_items must be at least 1, not {max_items}")
        getters, putters = Waiters(queue.Empty, self._watch), Waiters(queue.Full, self._watch)
        super().__init__(serializer or PickleSerializer(), getters, putters)
        self._max_items = max_items
        self._max_item_size = max_item_size
        self._items: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # where callers wait, and its thread
        self._thread = 0

    @property
    def guarantees(self) -> Guarantees:
        return Guarantees(between_processes=False, largest_item=self._max_item_size, capacity=self._max_items)

    def qsize(self) -> int:
        self._check_open()
        return len(self._items)

    def _dumped(self, item: Any) -> bytes:
        data = self._dump(item)
        if self._max_item_size is not None and len(data) > self._max_item_size:
            text = f"the item has {len(data)} bytes, but this queue takes at most {self._max_item_size}"
            raise MessageTooBig(text)
        return data

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._check_open()
            if len(self._items) >= self._max_items:
                raise queue.Full
            self._items.append(data)
        self._notify(self._getters)

    def _receive(self) -> bytes:
        with self._lock:
            self._check_open()
            if not self._items:
                raise queue.Empty
            data = self._items.popleft()
        self._notify(self._putters)
        return data

    # -- waiting

    def _notify(self, waiters: Waiters) -> None:
        if not waiters or self._loop is None:
            return
        if self._thread == threading.get_ident():
            waiters.notify()
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and its waiters are gone
                self._loop.call_soon_threadsafe(waiters.notify)

    def _watch(self) -> None:
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        # Another thread may have put or taken an item when it did not see this waiter yet.
        if self._items:
            self._getters.notify()
        if len(self._items) < self._max_items:
            self._putters.notify()
