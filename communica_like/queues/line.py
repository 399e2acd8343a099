"""Callers that wait, in order, until a medium lets one of them through."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from ..exceptions import Closed

__all__ = ["Line"]

T = TypeVar("T")


class Line:
    """Lets one caller after another try something, until it succeeds, its time is over or it is cancelled.

    Nothing is taken on a caller's behalf: whoever is called up tries for itself, in its own step, and has
    what it got when that step returns. So one that is cancelled has got nothing.

    Args:
        refusal: what an attempt raises when its time has not come: queue.Full or queue.Empty.
        watch: makes sure that ``call_up`` is called when an attempt may succeed; called when somebody waits,
            and again when one who was called up came too late.
        ignore: ends that; called when nobody waits any more.
    """

    def __init__(
        self,
        refusal: type[Exception],
        watch: Callable[[], object] = lambda: None,
        ignore: Callable[[], object] = lambda: None,
    ) -> None:
        self._refusal = refusal
        self._watch = watch
        self._ignore = ignore
        self._places: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._places)

    async def enter(self, attempt: Callable[[], T], timeout: float | None) -> T:
        """Return the result of the first *attempt* that is not refused.

        Args:
            timeout: seconds; None: no limit.

        Raises:
            Exception: the refusal, if the time is over; whatever else *attempt* raises.
            Closed: the line was closed.
        """
        if not self._places:
            try:
                return attempt()
            except self._refusal:
                if timeout is not None and timeout <= 0:
                    raise
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        place: asyncio.Future[None] = loop.create_future()
        self._places.append(place)
        try:
            if len(self._places) == 1:
                self._watch()
            while True:
                await self._called_up(place, deadline)
                if self._closed:
                    raise Closed("the queue is closed")
                if self._places[0] is not place:
                    raise self._refusal  # its time is over, and others come first
                try:
                    return attempt()
                except self._refusal:
                    if deadline is not None and loop.time() >= deadline:
                        raise
                # Somebody else was faster; it keeps its place.
                again: asyncio.Future[None] = loop.create_future()
                self._places[self._places.index(place)] = again
                place = again
                self._watch()
        finally:
            self._places.remove(place)
            if self._places:
                # It may have been called up in vain, or there is enough for more than one.
                self.call_up()
            else:
                self._ignore()

    def call_up(self) -> bool:
        """The first in the line may try; return False if there is nobody."""
        if not self._places:
            return False
        if not self._places[0].done():
            self._places[0].set_result(None)
        return True

    def close(self) -> None:
        """All who wait end with Closed."""
        self._closed = True
        for place in self._places:
            if not place.done():
                place.set_result(None)

    @staticmethod
    async def _called_up(place: asyncio.Future[None], deadline: float | None) -> None:
        if deadline is None:
            await place
            return
        timer = asyncio.get_running_loop().call_at(deadline, _time_is_over, place)
        try:
            await place
        finally:
            timer.cancel()


def _time_is_over(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_result(None)
