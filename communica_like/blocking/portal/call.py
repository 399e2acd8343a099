"""One blocking call: a coroutine on the loop's thread, and the thread that waits for it."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Final, Generic, TypeVar

from ...exceptions import Closed
from .interrupts import SignalWatch

__all__ = ["Call"]

T = TypeVar("T")

# Seconds. A signal that comes when the main thread is about to wait, and does not wait yet, interrupts
# nothing: its handler would be called when the wait is over.
_GLANCE: Final = 0.2
_SIGNAL_GLANCE: Final = 0.05  # seconds until a signal is noticed whose handler has returned
_PATIENCE: Final = 5.0  # seconds for a cancelled coroutine to end; the loop may be held up


class Call(Generic[T]):
    """Made by the thread that waits; ``step`` and all that follows from it happen on the loop's thread.

    Args:
        make: called on the loop's thread, which no signal interrupts, for the coroutine. That runs with a
            copy of the waiting thread's context variables.
        reclaim: called, in either thread, with a result that nobody waits for any more.

    Attributes:
        value, error: what it came to, after ``wait``. They are plain attributes because an interruption (a
            signal's handler that raises) comes when a function is called or returns, not when one is read.
    """

    def __init__(
        self, make: Callable[[], Coroutine[Any, Any, T]], reclaim: Callable[[T], object] | None = None
    ) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self._make = make
        self._reclaim = reclaim
        self._context = copy_context()
        self._task: asyncio.Task[T] | None = None
        self._over = threading.Lock()  # released at the end: nothing wakes a thread faster
        self._over.acquire()
        self._ended = False
        self._abandoned = False
        self._interrupted = False
        self._given_back = threading.Lock()

    # -- the thread that waits

    def wait(self) -> None:
        """Wait until it has ended. Raises nothing but what interrupts this thread."""
        if threading.get_ident() == threading.main_thread().ident:
            while not self._over.acquire(timeout=_GLANCE):
                pass
        else:
            self._over.acquire()

    def wait_or_notice(self, submit: Callable[[Call[T]], None]) -> None:
        """Wait until it has ended; cancel it when a signal's handler has returned in this, the main, thread.

        Then its error is an InterruptedError, unless it came to something nevertheless.

        Args:
            submit: has ``step`` called once more.
        """
        with SignalWatch() as watch:
            while not self._over.acquire(timeout=_SIGNAL_GLANCE):
                if watch.seen():
                    self._interrupted = True
                    submit(self)
                    break
            else:
                return
        self.wait()

    def abandon(self, submit: Callable[[Call[T]], None]) -> None:
        """Cancel it, because this thread was interrupted, and wait until it has ended.

        Args:
            submit: has ``step`` called once more.
        """
        self._abandoned = True
        submit(self)
        deadline = time.monotonic() + _PATIENCE
        while not self._ended and time.monotonic() < deadline:
            try:
                self._over.acquire(timeout=0.1)
            except BaseException:  # one more Ctrl-C, while the first is being seen to
                continue
        if self._ended:
            self._give_back()

    # -- the loop's thread

    def step(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin; when it was abandoned, cancel."""
        if self._ended:
            return
        if self._abandoned or self._interrupted:
            if self._task is None:
                self.give_up()
            else:
                self._task.cancel()
        elif self._task is None:
            try:
                coroutine = self._context.run(self._make)
            except BaseException as exc:
                self._end(None, exc)
                return
            self._task = loop.create_task(coroutine, context=self._context)
            self._task.add_done_callback(self._finished)

    def give_up(self) -> None:
        """End it if it has not begun; the portal is closed, or it was abandoned."""
        if self._task is None and not self._ended:
            self._end(None, self._cancelled("the portal is closed"))

    def _finished(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self._end(None, self._cancelled("the portal was closed while this waited"))
        elif (error := task.exception()) is not None:
            self._end(None, error)
        else:
            self._end(task.result(), None)

    def _cancelled(self, otherwise: str) -> Exception:
        if self._interrupted:
            return InterruptedError(errno.EINTR, os.strerror(errno.EINTR))
        return Closed(otherwise)

    def _end(self, value: T | None, error: BaseException | None) -> None:
        self._task = None  # it ends here: weak references to it are cleared where no signal comes
        self.value, self.error = value, error
        self._ended = True
        self._over.release()
        if self._abandoned:
            self._give_back()

    def _give_back(self) -> None:
        # Both threads may come here: one of them does it.
        if self._given_back.acquire(blocking=False) and self.error is None and self._reclaim is not None:
            self._reclaim(self.value)
