"""An event loop whose clock jumps: hours of heartbeats and timeouts pass in no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualClockLoop", "run_with_virtual_clock"]

T = TypeVar("T")


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop that does not wait for timers: when nothing is ready, it sets its clock to the next.

    For entities on MemoryConnectors, which need nothing but the loop. Sockets and threads work, but time
    does not wait for them: a timeout comes before their answer, unless that is there already.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time, in seconds; it begins at 1,000,000."""
        return self._jumping.now


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(0)
        if not events:
            self.now += timeout
        return events


def run_with_virtual_clock(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run *coroutine* on a new VirtualClockLoop, as asyncio.run does, and return its result.

    ``loop.time()``, and with it ``asyncio.sleep``, ``asyncio.timeout`` and all that entities do by the
    clock, follow virtual time; ``time.monotonic()`` does not.
    """
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(coroutine)
