"""TypeWaiters: callers that wait for messages of a System V queue, by type. Watcher: what wakes them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from ...aio.waiters import Waiters
from ...features import optional_package

T = TypeVar("T")

POLL_INTERVAL: Final = 0.003
"""Seconds between two attempts where the kernel tells of no change."""

# Adaptive spinning: while items come in quick succession, a getter polls for a moment before it wakes a
# thread to wait for it, because the next item is there before that thread runs.
_SPIN_TIME: Final = 0.0001  # seconds
_POLLS_PER_TURN: Final = 8

_MAX_WATCHERS: Final = 8  # threads; getters of further types poll


class TypeWaiters:
    """A fair wait queue for each message type, and what notifies it.

    Callers for any message spin for a moment, then let a ``Watcher`` wait in a thread; the others use a
    watcher at once.

    Args:
        key: of the queue.
        holds_some: returns whether there is any message in the queue.
        put_back: puts an empty message of a type back into the queue.

    Attributes:
        any: the wait queue for messages of any type.
        empty: types of empty messages, which a watcher cannot help removing from the queue.
    """

    def __init__(self, key: int, holds_some: Callable[[], bool], put_back: Callable[[int], None]) -> None:
        self._key = key
        self._holds_some = holds_some
        self._put_back = put_back
        self.any = Waiters(queue.Empty, partial(self._watch, 0), self._ignore)
        self._by_type = {0: self.any}
        self._watchers: dict[int, Watcher] = {}
        self.empty: deque[int] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self._spin: asyncio.Handle | None = None
        self._quick = True
        self._asleep_since = 0.0

    async def wait(self, message_type: int, attempt: Callable[[], T], timeout: float | None) -> T:
        """Return the result of the first *attempt* that finds a message of this type."""
        waiters = self._by_type.get(message_type)
        if waiters is None:
            waiters = self._by_type[message_type] = Waiters(queue.Empty, partial(self._watch, message_type))
        try:
            return await waiters.wait(attempt, timeout)
        finally:
            if message_type and not waiters:
                self._by_type.pop(message_type, None)

    def take_empty(self, wanted: int) -> bool:
        """Take an empty message that a watcher removed, if it is one that msgrcv(2) with *wanted* returns."""
        if not self.empty:
            return False
        with self._lock:
            for message_type in self.empty:
                if message_type <= -wanted if wanted < 0 else wanted in (0, message_type):
                    self.empty.remove(message_type)
                    return True
        return False

    def close(self) -> None:
        """Make all waiters raise Closed."""
        self._closed = True
        self._ignore()
        for watcher in self._watchers.values():
            watcher.end()
        for waiters in self._by_type.values():
            waiters.close()
        while self.empty:
            self._put_back(self.empty.popleft())

    # -- waiting

    def _watch(self, message_type: int) -> None:
        if message_type == 0 and self._quick:
            self._ignore()
            loop = asyncio.get_running_loop()
            self._spin = loop.call_soon(self._poll, loop, loop.time() + _SPIN_TIME)
        else:
            self._sleep(message_type)

    def _poll(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        self._spin = None
        for _ in range(_POLLS_PER_TURN):
            if self._holds_some():
                self._notify(0)
                return
            os.sched_yield()  # the writer may be waiting for this very processor
        if loop.time() < until:
            self._spin = loop.call_soon(self._poll, loop, until)
        else:
            self._sleep(0)

    def _ignore(self) -> None:
        if self._spin is not None:
            self._spin.cancel()
            self._spin = None

    def _sleep(self, message_type: int) -> None:
        loop = asyncio.get_running_loop()
        self._asleep_since = loop.time()
        watcher = self._watchers.get(message_type)
        if watcher is None:
            if len(self._watchers) >= _MAX_WATCHERS:
                loop.call_later(POLL_INTERVAL, self._notify, message_type)
                return
            watcher = self._watchers[message_type] = Watcher(self._key, message_type, self._told)
        watcher.arm(loop)

    def _told(self, loop: asyncio.AbstractEventLoop, message_type: int, empty_type: int) -> None:
        # Runs in the watcher's thread.
        if empty_type and self._closed:
            self._put_back(empty_type)
        elif empty_type:
            with self._lock:
                self.empty.append(empty_type)
        with contextlib.suppress(RuntimeError):  # the loop is closed, and its waiters are gone
            loop.call_soon_threadsafe(self._awake, message_type)

    def _awake(self, message_type: int) -> None:
        self._quick = asyncio.get_running_loop().time() - self._asleep_since < 5 * _SPIN_TIME
        self._notify(message_type)

    def _notify(self, message_type: int) -> None:
        if waiters := self._by_type.get(message_type):
            waiters.notify()


class Watcher:
    """A thread that sleeps in msgrcv(2) until there is a message of one type.

    A message wakes a receiver whose buffer is too small for it, which then fails with E2BIG, and the message
    stays in the queue: see msgrcv(2) on MSG_NOERROR. So this thread receives with an empty buffer. The one
    exception is an empty message, for which that buffer is large enough: it is removed and handed over.

    It is a daemon thread, and sleeps until the next message or the end of the process, even if no caller
    waits any more, since nothing but a message wakes it without a side effect.

    Args:
        key: of the queue.
        message_type: as for msgrcv(2).
        tell: called in the thread when there may be a message, or when the queue was removed. Its arguments
            are the loop of ``arm``, the message type, and the type of a removed empty message, or 0.
    """

    def __init__(
        self, key: int, message_type: int, tell: Callable[[asyncio.AbstractEventLoop, int, int], None]
    ) -> None:
        self._sysv_ipc = optional_package("sysv_ipc", "sysvmq")
        self._key = key
        self._message_type = message_type
        self._tell = tell
        self._armed = threading.Event()
        self._ended = False
        name = f"communica_like sysv {key:#x} type {message_type}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell *loop* once of a message that is there or comes next."""
        self._loop = loop
        self._armed.set()

    def end(self) -> None:
        """Stop telling. The thread ends with the next message."""
        self._ended = True
        self._armed.set()

    def _run(self) -> None:
        handle: Any = None
        gone = False
        while not gone:
            self._armed.wait()
            self._armed.clear()
            if self._ended:
                return
            empty_type = 0
            try:
                handle = handle or self._sysv_ipc.MessageQueue(self._key, max_message_size=0)
                _, empty_type = handle.receive(True, self._message_type)
            except self._sysv_ipc.ExistentialError:
                gone = True
            except OSError as exc:
                gone = exc.errno != errno.E2BIG
            # A removed message is handed over even after the end.
            if empty_type or not self._ended:
                self._tell(self._loop, self._message_type, empty_type)
