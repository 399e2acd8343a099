"""A blocking call: a coroutine on the loop's thread, and the thread that waits for it."""

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

T = TypeVar("T")

# Seconds. A signal that arrives just before the main thread blocks does not interrupt the wait, so the wait
# ends now and then to let the handler run.
_POLL_INTERVAL: Final = 0.2
_SIGNAL_POLL_INTERVAL: Final = 0.05  # seconds until a signal whose handler has returned is noticed
_CANCEL_TIMEOUT: Final = 5.0  # seconds for a cancelled coroutine to end; the loop may be blocked


class Call(Generic[T]):
    """A call made by the waiting thread; ``step`` and what follows run on the loop's thread.

    Args:
        make: returns the coroutine; called on the loop's thread, which no signal interrupts, with a copy of
            the waiting thread's context variables.
        reclaim: called, in either thread, with a result whose caller was interrupted.

    Attributes:
        value, error: the outcome, after ``wait``. Plain attributes, because a signal handler that raises does
            so when a function is called or returns, not when an attribute is read.
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
        self._over = threading.Lock()  # released at the end: the fastest way to wake a thread
        self._over.acquire()
        self._ended = False
        self._abandoned = False
        self._interrupted = False
        self._given_back = threading.Lock()

    # -- the thread that waits

    def wait(self, submit: Callable[[Call[T]], None] | None = None) -> None:
        """Wait until the call has ended. Raises only what interrupts this thread.

        Args:
            submit: schedules another ``step``. In the main thread a signal then cancels the call; after its
                handler has returned, the error is InterruptedError, unless the call still succeeded.
        """
        if threading.get_ident() != threading.main_thread().ident:
            self._over.acquire()
            return
        if submit is not None:
            with SignalWatch() as watch:
                while not self._over.acquire(timeout=_SIGNAL_POLL_INTERVAL):
                    if watch.seen():
                        self._interrupted = True
                        submit(self)
                        break
                else:
                    return
        while not self._over.acquire(timeout=_POLL_INTERVAL):
            pass

    def abandon(self, submit: Callable[[Call[T]], None]) -> None:
        """Cancel the call after this thread was interrupted, and wait until it has ended.

        Args:
            submit: schedules another ``step``.
        """
        self._abandoned = True
        submit(self)
        deadline = time.monotonic() + _CANCEL_TIMEOUT
        while not self._ended and time.monotonic() < deadline:
            try:
                self._over.acquire(timeout=0.1)
            except BaseException:  # another Ctrl-C while the first one is being handled
                continue
        if self._ended:
            self._give_back()

    # -- the loop's thread

    def step(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the coroutine, or cancel it if the call was abandoned."""
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
        """End a call that has not started, because the portal closed or the caller left."""
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
        self._task = None  # freed here, so that weak reference callbacks run where no signal interrupts
        self.value, self.error = value, error
        self._ended = True
        self._over.release()
        if self._abandoned:
            self._give_back()

    def _give_back(self) -> None:
        # Either thread may come first; only one of them hands the result back.
        if self._given_back.acquire(blocking=False) and self.error is None and self._reclaim is not None:
            self._reclaim(self.value)
