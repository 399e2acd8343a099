"""Waiters: a fair wait queue whose waiters try for themselves."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from ..exceptions import Closed
from .eager import set_result_now

T = TypeVar("T")


class Waiters:
    """A fair wait queue: callers try something, one after another, in the order in which they came.

    Nothing is handed over. The first waiter is notified and tries in its own step, and has what it got when
    that step returns. So a waiter that is cancelled has got nothing, and the next one tries.

    Args:
        refusal: what an attempt raises as long as it has to wait, such as queue.Full or queue.Empty.
        watch: makes sure that ``notify`` is called when an attempt may succeed; called when there is a first
            waiter, and again after each of its attempts in vain.
        ignore: ends that; called when the last waiter has left.

    Attributes:
        waiting: the waiters, in order. New callers have to join them, as long as there are any.
    """

    def __init__(
        self,
        refusal: type[Exception],
        watch: Callable[[], object] = lambda: None,
        ignore: Callable[[], object] = lambda: None,
    ) -> None:
        self._refusal = refusal
        self._watch = watch
        self._ignore = ignore
        self._closed = False
        self.waiting: deque[Waiter] = deque()

    def __len__(self) -> int:
        return len(self.waiting)

    async def wait(self, attempt: Callable[[], T], timeout: float | None) -> T:
        """Return the result of the first *attempt* that is not refused.

        Args:
            timeout: seconds; None: no limit.

        Raises:
            Exception: the refusal, when the timeout has passed; anything else that *attempt* raises.
            Closed: ``close`` was called.
        """
        if not self.waiting:
            try:
                return attempt()
            except self._refusal:
                if timeout is not None and timeout <= 0:
                    raise
        with Waiter(self) as waiter:
            return await waiter.wait(attempt, timeout)

    def notify(self, at_once: bool = False) -> bool:
        """Let the first waiter try, if there is one; return whether there is.

        Args:
            at_once: run its step before this returns: for callbacks of the loop that have nothing else to do.
        """
        if not self.waiting:
            return False
        self.waiting[0].notify(at_once)
        return True

    def close(self) -> None:
        """Make all waiters, and callers that would wait, raise Closed."""
        self._closed = True
        for waiter in self.waiting:
            waiter.notify()

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the queue is closed")


class Waiter:
    """A place in a wait queue, while ``with waiter:`` lasts; those that come meanwhile are behind it."""

    def __init__(self, waiters: Waiters) -> None:
        self._waiters = waiters
        self._notified: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expired = False

    @property
    def first(self) -> bool:
        """Whether no waiter is before it."""
        return self._waiters.waiting[0] is self

    def __enter__(self) -> Waiter:
        self._waiters.waiting.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        waiters = self._waiters
        waiters.waiting.remove(self)
        # It may have been notified in vain, or there is enough for the next one, too.
        if not waiters.notify():
            waiters._ignore()

    async def wait(self, attempt: Callable[[], T], timeout: float | None) -> T:
        """Return the result of the first *attempt* that is not refused. See Waiters.wait."""
        waiters, loop = self._waiters, asyncio.get_running_loop()
        self._expired = False
        expiry = None if timeout is None else loop.call_later(timeout, self._expire)
        try:
            while True:
                waiters._check_open()
                if self.first:
                    waiters._watch()
                await self._notified
                waiters._check_open()
                if not self.first:
                    raise waiters._refusal  # the timeout passed, and others come first
                try:
                    return attempt()
                except waiters._refusal:
                    if self._expired:
                        raise
                self._notified = loop.create_future()  # it keeps its place
        finally:
            if expiry is not None:
                expiry.cancel()

    def notify(self, at_once: bool = False) -> None:
        """Let it try."""
        if not self._notified.done():
            if at_once:
                set_result_now(self._notified, None)
            else:
                self._notified.set_result(None)

    def _expire(self) -> None:
        self._expired = True
        self.notify()
