"""How a child process hears from the parent: lines on standard input, whose end is the end of the child."""

from __future__ import annotations

import asyncio
import os
import sys
from threading import Thread

__all__ = ["Commands"]


class Commands:
    """The lines that come from the parent. When the parent dies, in whatever way, this process exits at once.

    A thread waits for them, so that a child whose event loop is stuck goes away as well.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        Thread(target=self._read, daemon=True).start()

    async def next(self) -> str:
        """Wait for the next line."""
        return await self._lines.get()

    def _read(self) -> None:
        for line in sys.stdin:
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line.strip())
        os._exit(1)
