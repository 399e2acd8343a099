"""What a QueueHost gives to those who wait in a line here: items, or room for them."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from ...aio.waiters import Line
from .protocol import Frame, Kind

__all__ = ["Asker", "Permits"]

# Turns of the event loop for which something asked for is kept when nobody waits any more. Most who give up
# come back at once, and would otherwise never see an answer if they give up faster than one can come.
_KEPT_TURNS: Final = 8


class Asker(Protocol):
    """The connection to the host."""

    def request(self, kind: Kind, tell: Callable[[Frame | None], object], /) -> int:
        """Ask; *tell* is called in another thread with the answer, or with None if there will be none."""

    def ask_again(self, kind: Kind, number: int, /) -> None:
        """Ask for what was asked for under this number already."""

    def give_back(self, number: int, /) -> None:
        """What was asked for, or given, under this number is not wanted any more."""


class Permits:
    """Asks for one at a time, while anybody waits, and calls up the first in the line when it is there.

    Whoever is called up takes it, in its own step. What was asked for by somebody who gave up is for whoever
    comes next, if that is soon: were it given back, others might see it after later ones.

    All methods but ``settle`` belong to the event loop.

    Args:
        asker: the connection.
        kind: what to ask for.
        line: of those who wait.
    """

    def __init__(self, asker: Asker, kind: Kind, line: Line) -> None:
        self._asker = asker
        self._kind = kind
        self._line = line
        self._asked: int | None = None
        self._word: Frame | None = None  # what the host has said of it since the last glance
        self._told: queue.SimpleQueue[bool] | None = None  # of who looks
        self._given: deque[Frame] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._settled = True  # whether nothing is asked, given, or about to be given back

    def take(self) -> Frame | None:
        """Return what was given, or None."""
        with self._lock:
            return self._given.popleft() if self._given else None

    def glance(self, wait: Callable[[queue.SimpleQueue[bool]], object]) -> Frame | None:
        """Ask, and return what was given, or None. If it comes later it is for those who wait.

        Args:
            wait: waits a moment until there is something in a queue.
        """
        told: queue.SimpleQueue[bool] = queue.SimpleQueue()
        try:
            with self._lock:
                self._be_in(asyncio.get_running_loop())
                if self._given:
                    return self._given.popleft()
                self._told, self._word, self._settled = told, None, False
                if self._asked is None:
                    self._asked = self._asker.request(Kind.GLANCE, self._tell)
                else:
                    self._asker.ask_again(Kind.GLANCE, self._asked)
            wait(told)
            with self._lock:
                self._told = None
                return self._given.popleft() if self._given else None
        except BaseException:
            with self._lock:
                self._told = None
                self._give_back()
            raise

    def answer(self) -> Frame:
        """Return what was given, or what the host has said of it since the last glance: LATER, or COMING.

        Raises:
            queue.Empty: neither.
        """
        with self._lock:
            if self._given:
                return self._given.popleft()
            if self._word is not None:
                return self._word
            raise queue.Empty

    def watch(self) -> None:
        """Somebody waits."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._be_in(loop)
            if self._asked is None and not self._given:
                self._settled = False
                self._asked = self._asker.request(self._kind, self._tell)

    def ignore(self) -> None:
        """Nobody waits any more."""
        if self._asked is not None or self._given:
            asyncio.get_running_loop().call_soon(self._look_again, _KEPT_TURNS)

    def settle(self) -> None:
        """If nobody waits, give back what they asked for, at once. Any thread may say so."""
        if self._settled:
            return
        with self._lock:
            if not len(self._line) and self._told is None:  # who comes from now on has to ask
                self._give_back()

    def give_back(self) -> None:
        """Nobody will come."""
        with self._lock:
            self._give_back()

    def _give_back(self) -> None:
        # In an order in which a signal can do no harm; what is given back twice is so once.
        numbers = [frame.number for frame in self._given]
        if self._asked is not None:
            numbers.append(self._asked)
        self._asked, self._given = None, deque()
        try:
            self._return(numbers)
        except BaseException:
            self._return(numbers)
            raise
        self._settled = True

    def _return(self, numbers: list[int]) -> None:
        for number in numbers:
            self._asker.give_back(number)

    def _be_in(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not loop:
            self._give_back()  # what another loop, which has ended, still asked for
            self._loop = loop

    def _tell(self, answer: Frame | None) -> None:
        # In any thread; perhaps twice with the same answer.
        with self._lock:
            if answer is not None and answer.number != self._asked:
                return  # it was given back, and the host knows
            if answer is not None and answer.kind in (Kind.LATER, Kind.COMING):
                self._word = answer
            else:
                self._asked = None
                if answer is not None:
                    self._given.append(answer)
            if self._told is not None:
                self._told.put(True)
                return
            loop = self._loop
        assert loop is not None
        try:
            loop.call_soon_threadsafe(self._call_up)
        except RuntimeError:  # the loop is closed, and all who waited in it are gone
            self.give_back()

    def _call_up(self) -> None:
        if not self._line.call_up() and self._given:
            self.give_back()

    def _look_again(self, turns: int) -> None:
        if len(self._line):
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._look_again, turns - 1)
        else:
            self.give_back()
