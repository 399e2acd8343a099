"""Tasks that wait until something is open, and go on in the order in which they came."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

__all__ = ["Arrivals"]

T = TypeVar("T")


class Arrivals(Generic[T]):
    """Has one thing opened in a thread, for all who need it.

    Whoever comes when it is open goes on at once, unless others who came before have not gone on yet.

    Args:
        current: returns it, or None if it has to be opened. It must not wait.
        opener: opens it. Called in a thread; it may wait.

    All methods belong to the event loop. When one loop has ended, another may follow.
    """

    def __init__(self, current: Callable[[], T | None], opener: Callable[[], T]) -> None:
        self._current = current
        self._opener = opener
        self._places: deque[asyncio.Future[T]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening = False

    async def enter(self) -> T:
        """Return it.

        Raises:
            Exception: what *opener* raises. All who wait at that time get it.
        """
        current = self._current()
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._places, self._opening = loop, deque(), False
        places = self._places
        if current is not None and not places:
            return current
        place: asyncio.Future[T] = loop.create_future()
        place.add_done_callback(_look_at_it)
        if current is None and not self._opening:
            # Not in the loop's executor, for which the end of the loop would wait.
            threading.Thread(target=self._open, args=(loop,), daemon=True).start()
            self._opening = True
        elif not self._opening:
            loop.call_soon(_settle, place, current, None)  # those before this one are called up already
        places.append(place)
        try:
            return await place
        finally:
            places.remove(place)

    def turn_away(self, error: Exception) -> None:
        """All who wait end with this error."""
        for place in self._places:
            _settle(place, None, error)

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        opened: T | None = None
        error: Exception | None = None
        try:
            opened = self._opener()
        except Exception as exc:
            error = exc
        try:
            loop.call_soon_threadsafe(partial(self._opened, loop, opened, error))
        except RuntimeError:
            pass  # the loop is closed: nobody waits

    def _opened(self, loop: asyncio.AbstractEventLoop, opened: T | None, error: Exception | None) -> None:
        if self._loop is loop:
            self._opening = False
            for place in self._places:
                _settle(place, opened, error)


def _settle(place: asyncio.Future[T], opened: T | None, error: Exception | None) -> None:
    if place.done():
        return
    if opened is not None:
        place.set_result(opened)
    elif error is not None:
        place.set_exception(error)


def _look_at_it(place: asyncio.Future[T]) -> None:
    # Whoever waited may have been cancelled in the same turn: then nobody else asks.
    if not place.cancelled():
        place.exception()
