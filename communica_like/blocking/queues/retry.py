"""Whether it pays to look again for a moment before a thread is put to sleep."""

from __future__ import annotations

import functools
import os
import queue
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from ..portal.portal import Portal

__all__ = ["Spin", "refused"]

T = TypeVar("T")

# Seconds. To be woken by another thread takes some 50 microseconds more than the waiting itself.
_LOOK: Final = 0.00015
_QUICK: Final = 2 * _LOOK

# The other side may be waiting for this very processor: so it is yielded at the first look. If it runs on
# another one, yielding costs time, so the next looks are made without.
_YIELD_AT: Final = 4

_yield: Final[Callable[[], object]] = getattr(os, "sched_yield", lambda: time.sleep(0))


class Spin:
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


def refused(
    method: Callable[..., Coroutine[Any, Any, T]], attempt: Callable[..., None], refusal: type[Exception]
) -> Callable[..., None]:
    """Return what a blocking method does when a first attempt, on the calling thread, was in vain.

    It is for async methods with a ``_nowait`` twin that any thread may call: what is ready costs no change of
    threads. This makes more attempts for a moment, where that has paid before; then it waits on the portal's
    loop. It is called with seconds to wait or None, a Spin, and what both methods take.

    Args:
        method: of the async class; it takes ``timeout=``.
        attempt: it returns nothing. One that takes something out of a queue has a list as its first argument,
            and puts there what it took.
        refusal: what it raises if it is in vain: queue.Full or queue.Empty.

    What was taken is in the list also if this thread is interrupted; then it is the caller's to keep.
    """
    name, nowait, takes = method.__name__, attempt.__name__, refusal is queue.Empty

    def wait(self: Any, timeout: float | None, patience: Spin, /, *args: Any, **kwargs: Any) -> None:
        if timeout is not None and timeout <= 0:
            raise refusal
        began = time.perf_counter()
        try:
            again = functools.partial(getattr(self._core, nowait), *args, **kwargs)
            if patience.look(again, refusal, timeout):
                return
            if timeout is not None:
                kwargs["timeout"] = max(0.0, timeout - (time.perf_counter() - began))
            portal: Portal = self._enter()
            if takes:
                waiting = functools.partial(getattr(self._core, name), *args[1:], **kwargs)
                args[0].append(portal.run_made(waiting, self._reclaim, interruptible=self._interruptible))
            else:
                waiting = functools.partial(getattr(self._core, name), *args, **kwargs)
                portal.run_made(waiting, interruptible=self._interruptible)
        finally:
            patience.waited(time.perf_counter() - began)

    return wait
