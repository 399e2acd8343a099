"""An event loop with virtual time: hours of heartbeats and timeouts pass at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits for a timer: when nothing is ready, its clock jumps to the next one.

    Made for entities on MemoryConnectors, which need only the loop. Sockets and threads work, but virtual
    time does not wait for them: a timeout fires before their answer, unless that has arrived.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time in seconds, which begins at 1,000,000."""
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

    ``loop.time()``, ``asyncio.sleep``, ``asyncio.timeout`` and the timers of entities follow virtual time;
    ``time.monotonic()`` does not.
    """
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(coroutine)
