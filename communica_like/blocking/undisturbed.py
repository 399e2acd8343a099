"""Doing what must not be left half done by Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["undisturbed"]

T = TypeVar("T")

_PATIENCE: Final = 5.0  # seconds


def undisturbed(function: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """Call a function to its end, whatever interrupts this thread meanwhile; that is raised afterwards.

    Handlers of signals run in the main thread only. So from there the function is called in a thread of its
    own: for what is done rarely.

    Args:
        undo: called with the result if this thread was interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    results: list[T] = []
    errors: list[BaseException] = []
    begun, over = threading.Lock(), threading.Lock()
    over.acquire()

    def run() -> None:
        if not begun.acquire(blocking=False):
            return  # another thread was faster
        try:
            results.append(function())
        except BaseException as exc:
            errors.append(exc)
        finally:
            over.release()

    def start() -> None:
        try:
            threading.Thread(target=run, name="communica_like undisturbed", daemon=True).start()
        except RuntimeError:  # the interpreter is about to exit, and starts no threads any more
            run()

    try:
        start()
        over.acquire()
    except BaseException:
        deadline = time.monotonic() + _PATIENCE
        if not begun.locked():
            start()  # what interrupted the first start may have kept the thread from its work
        while not results and not errors and time.monotonic() < deadline:
            over.acquire(timeout=0.01)
        if results and undo is not None:
            undo(results[0])
        raise
    if errors:
        raise errors[0]
    return results[0]
