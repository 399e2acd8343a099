"""Whether it pays to look again for a moment before a thread is put to sleep."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Patience"]

# Seconds. To be woken by another thread takes some 50 microseconds more than the waiting itself.
_LOOK: Final = 0.00015
_QUICK: Final = 2 * _LOOK

# The other side may be waiting for this very processor: so it is yielded at the first look. If it runs on
# another one, yielding costs time, so the next looks are made without.
_YIELD_AT: Final = 4

_yield: Final[Callable[[], object]] = getattr(os, "sched_yield", lambda: time.sleep(0))


class Patience:
    """Remembers how long the last caller waited: the next one looks again only after a short wait.

    So a conversation of two processes is quick, and who waits for rare things costs no time: after one
    look in vain, no other, until something comes quickly again.
    """

    def __init__(self) -> None:
        self._last = 0.0

    def look(self, attempt: Callable[[], object], refusal: type[Exception], timeout: float | None) -> bool:
        """Make attempts for a moment; return whether one was not refused.

        Args:
            timeout: seconds, if shorter.
        """
        if self._last > _QUICK:
            return False
        clock = time.perf_counter
        until = clock() + (_LOOK if timeout is None else min(_LOOK, timeout))
        looks = 0
        while True:
            if looks % _YIELD_AT == 0:
                _yield()
            looks += 1
            try:
                attempt()
                return True
            except refusal:
                if clock() >= until:
                    return False

    def waited(self, seconds: float) -> None:
        """So long it took to succeed, or to give up."""
        self._last = seconds
