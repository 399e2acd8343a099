"""For contestants whose throw waits for the broker's confirm: many at once, as a program would do it."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.arena import Requester

__all__ = ["ConfirmedThrows"]

AT_ONCE = 256


class ConfirmedThrows:
    """A client each of whose throws goes on beside the next ones.

    Args:
        client: whose throws take a while.
    """

    def __init__(self, client: Requester) -> None:
        self.request = client.request
        self._throw = client.throw
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def throw(self, data: Any, /) -> None:
        await self._room.acquire()
        task = asyncio.create_task(self._confirmed(data))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _confirmed(self, data: Any) -> None:
        try:
            await self._throw(data)
        finally:
            self._room.release()
