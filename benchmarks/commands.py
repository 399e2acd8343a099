"""How a child process hears from the parent: lines on standard input, whose end is the end of the child."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from threading import Thread

__all__ = ["Commands"]

PATIENCE = 3.0  # seconds that the child has for cleaning up


class Commands:
    """The lines that come from the parent. When the parent dies, in whatever way, this process ends.

    A thread waits for them, so that a child whose event loop is stuck goes away as well.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        Thread(target=self._read, daemon=True).start()

    async def next(self) -> str | None:
        """Wait for the next line; None: there are no more, and this process has to end within 3 seconds."""
        return await self._lines.get()

    def _read(self) -> None:
        for line in sys.stdin:
            self._tell(line.strip())
        self._tell(None)
        time.sleep(PATIENCE)
        os._exit(1)

    def _tell(self, line: str | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
        except RuntimeError:
            pass  # the loop is closed: this process is about to end
