"""Callers that wait, in order, until a medium lets one of them through."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from ..exceptions import Closed, RequestTimeout
from .eager import set_result_now

__all__ = ["Line", "Place", "Turnstile"]


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
        self._places: deque[Place] = deque()
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
        with self.place() as place:
            return await place.wait(attempt, timeout)

    def place(self) -> Place:
        """Return a place for somebody who has more to do there than ``enter`` does."""
        return Place(self)

    def call_up(self, at_once: bool = False) -> bool:
        """The first in the line may try; return False if there is nobody.

        Args:
            at_once: it does so before this returns: for callbacks of the loop that have nothing else to do.
        """
        if not self._places:
            return False
        self._places[0].call_up(at_once)
        return True

    def close(self) -> None:
        """All who wait end with Closed."""
        self._closed = True
        for place in self._places:
            place.call_up()


class Place:
    """A place in a line, while ``with place:`` lasts: whoever enters meanwhile is behind it.

    Args:
        line: the line.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._called_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def first(self) -> bool:
        """Whether nobody is before it."""
        return self._line._places[0] is self

    def __enter__(self) -> Place:
        self._line._places.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        line = self._line
        line._places.remove(self)
        if line._places:
            # It may have been called up in vain, or there is enough for more than one.
            line.call_up()
        else:
            line._ignore()

    async def wait(self, attempt: Callable[[], T], timeout: float | None) -> T:
        """Return the result of the first *attempt*, made when it is called up, that is not refused.

        Args, Raises: as for ``Line.enter``.
        """
        line, loop = self._line, asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while True:
            if line._closed:
                raise Closed("the queue is closed")
            if self.first:
                line._watch()
            if deadline is None:
                await self._called_up
            else:
                await self._called_up_until(deadline)
            if line._closed:
                raise Closed("the queue is closed")
            if not self.first:
                raise line._refusal  # its time is over, and others come first
            try:
                return attempt()
            except line._refusal:
                if deadline is not None and loop.time() >= deadline:
                    raise
            # Somebody else was faster; it keeps its place.
            self._called_up = loop.create_future()

    def call_up(self, at_once: bool = False) -> None:
        """It may try."""
        if not self._called_up.done():
            if at_once:
                set_result_now(self._called_up, None)
            else:
                self._called_up.set_result(None)

    async def _called_up_until(self, deadline: float) -> None:
        timer = asyncio.get_running_loop().call_at(deadline, self.call_up)
        try:
            await self._called_up
        finally:
            timer.cancel()
