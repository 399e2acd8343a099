"""One timer for the earliest of many deadlines, and the clock that it goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

__all__ = ["NEVER", "DeadlineTimer", "clock_of"]

NEVER: Final = float("inf")


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return what tells the event loop's time; most loops wrap a function that can be called at less cost."""
    stock = getattr(type(loop), "time", None) is asyncio.BaseEventLoop.time
    return monotonic if stock else loop.time


class DeadlineTimer:
    """Calls back once, at the time that was set last.

    Attributes:
        at: when, by the event loop's clock; NEVER: not at all.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self.at = NEVER

    def set(self, at: float) -> None:
        """Ring at this time, and not at the one before. It may be over, or NEVER."""
        if self._handle is not None:
            self._handle.cancel()
        self.at = at
        self._handle = None if at == NEVER else self._loop.call_at(at, self._go_off)

    def _go_off(self) -> None:
        self._handle, self.at = None, NEVER
        self._ring()
