"""Adaptive spinning before a blocking wait."""

from __future__ import annotations

import functools
import os
import queue
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from ..portal.portal import Portal

T = TypeVar("T")

# Seconds. A wake-up by another thread costs some 50 microseconds on top of the wait itself.
_SPIN_TIME: Final = 0.00015
_SHORT_WAIT: Final = 2 * _SPIN_TIME

# The other side may be waiting for this very processor, so every fourth attempt yields it. Yielding each time
# would waste time when the other side runs elsewhere.
_YIELD_EVERY: Final = 4

_yield: Final[Callable[[], object]] = getattr(os, "sched_yield", lambda: time.sleep(0))


class Spin:
    """Spins before a wait, if the previous wait was short.

    So two processes in conversation answer quickly, and a reader of rare items wastes no time: after one spin
    in vain it does not spin again until an item comes quickly.
    """

    def __init__(self) -> None:
        self._last = 0.0

    def spin(self, attempt: Callable[[], object], refusal: type[Exception], timeout: float | None) -> bool:
        """Attempt for a moment; return whether an attempt succeeded.

        Args:
            timeout: seconds, if that is shorter.
        """
        if self._last > _SHORT_WAIT:
            return False
        clock = time.perf_counter
        until = clock() + (_SPIN_TIME if timeout is None else min(_SPIN_TIME, timeout))
        attempts = 0
        while True:
            if attempts % _YIELD_EVERY == 0:
                _yield()
            attempts += 1
            try:
                attempt()
                return True
            except refusal:
                if clock() >= until:
                    return False

    def waited(self, seconds: float) -> None:
        """Record how long a call took to succeed or to give up."""
        self._last = seconds


def refused(
    method: Callable[..., Coroutine[Any, Any, T]], attempt: Callable[..., None], refusal: type[Exception]
) -> Callable[..., None]:
    """Return the slow path of a blocking method, for when its first attempt was refused.

    For async methods with a ``_nowait`` twin that any thread may call, so that a ready item needs no change
    of threads. The result spins, then waits on the portal's loop. It takes the seconds to wait or None, a
    Spin, and the arguments of both methods.

    Args:
        method: of the async class; it takes ``timeout=``.
        attempt: the ``_nowait`` twin, which returns None. One that takes an item appends it to the list that
            is its first argument.
        refusal: what a failed attempt raises: queue.Full or queue.Empty.

    A taken item is in the list even if this thread is interrupted; the caller then keeps it.
    """
    name, nowait, takes = method.__name__, attempt.__name__, refusal is queue.Empty

    def wait(self: Any, timeout: float | None, spin: Spin, /, *args: Any, **kwargs: Any) -> None:
        if timeout is not None and timeout <= 0:
            raise refusal
        began = time.perf_counter()
        try:
            again = functools.partial(getattr(self._core, nowait), *args, **kwargs)
            if spin.spin(again, refusal, timeout):
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
            spin.waited(time.perf_counter() - began)

    return wait
