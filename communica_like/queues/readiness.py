"""A descriptor that becomes ready -> the line of those who wait for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

__all__ = ["Readiness"]


class Readiness:
    """Has the event loop watch a descriptor while anybody waits, and a little longer.

    It is watched until it was ready and nobody waited: most who were served come back, and to begin and end
    watching for each would cost more than the waiting.

    Args:
        fd: the descriptor, which the loop can poll.
        event: for what.
        ready: called when it is; returns whether anybody waits for more.
    """

    def __init__(self, fd: int, event: Literal["read", "write"], ready: Callable[[], bool]) -> None:
        self._fd = fd
        self._event = event
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self) -> None:
        """Call *ready* whenever it is, from the running event loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            (loop.add_reader if self._event == "read" else loop.add_writer)(self._fd, self._on_ready)

    def ignore(self) -> None:
        """Stop watching, now. To be called before the descriptor is closed."""
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            (loop.remove_reader if self._event == "read" else loop.remove_writer)(self._fd)

    def _on_ready(self) -> None:
        if not self._ready():
            self.ignore()
