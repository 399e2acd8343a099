"""Doing what must not be left half done by Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["SignalWatch", "uninterrupted"]


class SignalWatch:
    """Notices signals that have handlers in Python. Only for the main thread, one at a time.

    Python goes on waiting when such a handler has returned: see PEP 475. What notices it is the descriptor
    that ``signal.set_wakeup_fd`` sets. If somebody else has set one, an event loop say, it stays his, and
    nothing is noticed here.
    """

    _ends: tuple[socket.socket, socket.socket] | None = None
    _process = 0

    def __enter__(self) -> SignalWatch:
        seen_end, told_end = self._open()
        self._seen_end = seen_end
        self.seen()  # what came before is none of this one's
        self._former = signal.set_wakeup_fd(told_end.fileno(), warn_on_full_buffer=False)
        if self._former not in (-1, told_end.fileno()):
            signal.set_wakeup_fd(self._former)
        return self

    def __exit__(self, *_: object) -> None:
        if self._former == -1:
            signal.set_wakeup_fd(-1)

    def seen(self) -> bool:
        """Whether a signal was handled since the last time."""
        try:
            return bool(self._seen_end.recv(4096))
        except BlockingIOError:
            return False

    @classmethod
    def possible(cls) -> bool:
        """Whether this is the main thread."""
        return threading.get_ident() == threading.main_thread().ident

    @classmethod
    def _open(cls) -> tuple[socket.socket, socket.socket]:
        # A process that was forked off would be told of its parent's signals.
        if cls._ends is None or cls._process != os.getpid():
            ends = socket.socketpair()
            for each in ends:
                each.setblocking(False)
            cls._ends, cls._process = ends, os.getpid()
        return cls._ends


T = TypeVar("T")

_PATIENCE: Final = 5.0  # seconds


def uninterrupted(function: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
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
            threading.Thread(target=run, name="communica_like uninterrupted", daemon=True).start()
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
