"""Where callers wait, in order, for room in the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ..exceptions import RequestTimeout

__all__ = ["Turnstile"]

T = TypeVar("T")


class Turnstile:
    """Lets one caller after another try, each until it succeeds.

    Attributes:
        waiting: how many callers are here. Who comes while there are any goes to the end of the line.
        blocked: whether anybody waits for ``open``.
    """

    def __init__(self) -> None:
        self._line = asyncio.Lock()
        self._room: asyncio.Future[None] | None = None
        self.waiting = 0
        self.blocked = False

    async def enter(
        self, attempt: Callable[[], T | None], deadline: float | None, *, queue: bool = True
    ) -> T:
        """Return the first result of *attempt* that is not None.

        Args:
            attempt: called when it is this caller's turn, and whenever there may be room.
            deadline: when to give up, by the event loop's clock.
            queue: False for callers that neither wait in the line nor hold it up.

        Raises:
            RequestTimeout: the deadline passed.
            Exception: whatever *attempt* raises.

        If it is cancelled, nothing was sent.
        """
        self.waiting += queue
        try:
            async with asyncio.timeout_at(deadline):
                if not queue:
                    return await self._try(attempt)
                async with self._line:
                    return await self._try(attempt)
        except TimeoutError as exc:
            if isinstance(exc, RequestTimeout):
                raise
            raise RequestTimeout("no room in the outbox in time") from exc
        finally:
            self.waiting -= queue

    def open(self) -> None:
        """There may be room: whoever waits for it tries again."""
        room, self._room = self._room, None
        self.blocked = False
        if room is not None:
            room.set_result(None)

    async def _try(self, attempt: Callable[[], T | None]) -> T:
        while (result := attempt()) is None:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
                self.blocked = True
            await asyncio.shield(self._room)
        return result
