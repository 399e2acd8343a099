"""Those who wait for messages of a System V queue, by message type."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from ...aio.waiters import Line
from .watcher import Watcher

__all__ = ["LAST_LOOK", "TypeWaiters"]

T = TypeVar("T")

LAST_LOOK: Final = 0.003
"""Seconds between two looks, where nothing tells of a change."""

# While items come in quick succession, a reader looks again for so many seconds before it lets a thread
# sleep for it: the next item is there before that thread could be woken.
_LOOK_AGAIN: Final = 0.0001
_LOOKS: Final = 8
"""How often in each turn of the event loop."""

# Readers of so many types wait by a thread each; those of further ones look.
_MOST_WATCHERS: Final = 8


class TypeWaiters:
    """A line for each message type that somebody waits for, and what calls it up.

    Args:
        key: of the queue.
        holds_some: whether there is any message in the queue.
        put_back: puts a message of no bytes back into the queue.

    Attributes:
        any: the line of those who take any message.
    """

    def __init__(self, key: int, holds_some: Callable[[], bool], put_back: Callable[[int], None]) -> None:
        self._key = key
        self._holds_some = holds_some
        self._put_back = put_back
        self.any = Line(queue.Empty, partial(self._watch, 0), self._ignore)
        self._lines = {0: self.any}
        self._watchers: dict[int, Watcher] = {}
        # Types of messages of no bytes, which a watcher cannot help taking.
        self._empty: deque[int] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self._look: asyncio.Handle | None = None
        self._quick = True
        self._asleep_since = 0.0

    async def enter(self, message_type: int, attempt: Callable[[], T], timeout: float | None) -> T:
        """Return the result of the first *attempt* that finds a message of this type. See Line.enter."""
        line = self._lines.get(message_type)
        if line is None:
            line = self._lines[message_type] = Line(queue.Empty, partial(self._watch, message_type))
        try:
            return await line.enter(attempt, timeout)
        finally:
            if message_type and not line:
                self._lines.pop(message_type, None)

    def take_empty(self, wanted: int) -> bool:
        """Take a message of no bytes that is here already, if msgrcv(2) for the type *wanted* would."""
        if not self._empty:
            return False
        with self._lock:
            for message_type in self._empty:
                if message_type <= -wanted if wanted < 0 else wanted in (0, message_type):
                    self._empty.remove(message_type)
                    return True
        return False

    @property
    def empties(self) -> int:
        """How many messages of no bytes are here."""
        return len(self._empty)

    def close(self) -> None:
        """All who wait end with Closed."""
        self._closed = True
        self._ignore()
        for watcher in self._watchers.values():
            watcher.end()
        for line in self._lines.values():
            line.close()
        while self._empty:
            self._put_back(self._empty.popleft())

    # -- waiting

    def _watch(self, message_type: int) -> None:
        if message_type == 0 and self._quick:
            self._ignore()
            loop = asyncio.get_running_loop()
            self._look = loop.call_soon(self._look_again, loop, loop.time() + _LOOK_AGAIN)
        else:
            self._sleep(message_type)

    def _look_again(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        self._look = None
        for _ in range(_LOOKS):
            if self._holds_some():
                self._call_up(0)
                return
            os.sched_yield()  # the writer may be waiting for this very processor
        if loop.time() < until:
            self._look = loop.call_soon(self._look_again, loop, until)
        else:
            self._sleep(0)

    def _ignore(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _sleep(self, message_type: int) -> None:
        loop = asyncio.get_running_loop()
        self._asleep_since = loop.time()
        watcher = self._watchers.get(message_type)
        if watcher is None:
            if len(self._watchers) >= _MOST_WATCHERS:
                loop.call_later(LAST_LOOK, self._call_up, message_type)
                return
            watcher = self._watchers[message_type] = Watcher(self._key, message_type, self._told)
        watcher.arm(loop)

    def _told(self, loop: asyncio.AbstractEventLoop, message_type: int, empty_type: int) -> None:
        # In the watcher's thread.
        if empty_type and self._closed:
            self._put_back(empty_type)
        elif empty_type:
            with self._lock:
                self._empty.append(empty_type)
        try:
            loop.call_soon_threadsafe(self._awake, message_type)
        except RuntimeError:
            pass  # the loop is closed, and whoever waited in it is gone

    def _awake(self, message_type: int) -> None:
        self._quick = asyncio.get_running_loop().time() - self._asleep_since < 5 * _LOOK_AGAIN
        self._call_up(message_type)

    def _call_up(self, message_type: int) -> None:
        line = self._lines.get(message_type)
        if line is not None:
            line.call_up()
