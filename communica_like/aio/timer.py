"""One timer for the earliest of many deadlines, and the clock that it goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

NEVER: Final = float("inf")


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return the function that tells the loop's time; for most loops one that is cheaper than loop.time."""
    stock = getattr(type(loop), "time", None) is asyncio.BaseEventLoop.time
    return monotonic if stock else loop.time


class DeadlineTimer:
    """A timer that calls back once, at the time that was set last.

    Args:
        ring: the callback.

    Attributes:
        at: when, by the event loop's clock; NEVER: not at all.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self.at = NEVER

    def set(self, at: float) -> None:
        """Replace the time by *at*, which may have passed, or be NEVER."""
        if self._handle is not None:
            self._handle.cancel()
        self.at = at
        self._handle = None if at == NEVER else self._loop.call_at(at, self._ring_now)

    def _ring_now(self) -> None:
        self._handle, self.at = None, NEVER
        self._ring()
