"""The handlers that every contestant serves: they answer with what they got, and count it."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Echo"]


class Echo:
    """One way of echoing. ``None`` asks how many messages came since the last such question."""

    def __init__(self) -> None:
        self.seen = 0

    def plain(self, data: Any) -> Any:
        """Answer at once."""
        if data is None:
            seen, self.seen = self.seen, 0
            return seen
        self.seen += 1
        return data

    async def never_suspending(self, data: Any) -> Any:
        """Answer at once, as a coroutine."""
        if data is None:
            seen, self.seen = self.seen, 0
            return seen
        self.seen += 1
        return data

    async def suspending(self, data: Any) -> Any:
        """Let the event loop turn once, then answer."""
        if data is None:
            seen, self.seen = self.seen, 0
            return seen
        self.seen += 1
        await asyncio.sleep(0)
        return data
