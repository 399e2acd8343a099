"""Running a function to completion despite KeyboardInterrupt, and noticing signals."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar


class SignalWatch:
    """Notices signals that have Python handlers. For the main thread, one at a time.

    Python resumes waiting when such a handler returns (PEP 475), so this watches the descriptor of
    ``signal.set_wakeup_fd``. If another program part, such as an event loop, has set one, that stays in place
    and this notices nothing.
    """

    _ends: tuple[socket.socket, socket.socket] | None = None
    _process = 0

    def __enter__(self) -> SignalWatch:
        seen_end, told_end = self._open()
        self._seen_end = seen_end
        self.seen()  # discard earlier signals
        self._former = signal.set_wakeup_fd(told_end.fileno(), warn_on_full_buffer=False)
        if self._former not in (-1, told_end.fileno()):
            signal.set_wakeup_fd(self._former)
        return self

    def __exit__(self, *_: object) -> None:
        if self._former == -1:
            signal.set_wakeup_fd(-1)

    def seen(self) -> bool:
        """Return whether a signal was handled since the last call."""
        try:
            return bool(self._seen_end.recv(4096))
        except BlockingIOError:
            return False

    @classmethod
    def _open(cls) -> tuple[socket.socket, socket.socket]:
        # A forked child must not read its parent's socket pair.
        if cls._ends is None or cls._process != os.getpid():
            ends = socket.socketpair()
            for each in ends:
                each.setblocking(False)
            cls._ends, cls._process = ends, os.getpid()
        return cls._ends


T = TypeVar("T")

_FINISH_TIMEOUT: Final = 5.0  # seconds for the function to end after an interruption


def uninterrupted(function: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """Run a function to completion despite KeyboardInterrupt, which is raised afterwards.

    Signal handlers run in the main thread only, so from there the function is called in a thread of its own.
    That costs a thread: use it for rare steps.

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
            return  # the other thread has started it
        try:
            results.append(function())
        except BaseException as exc:
            errors.append(exc)
        finally:
            over.release()

    def start() -> None:
        try:
            threading.Thread(target=run, name="communica_like uninterrupted", daemon=True).start()
        except RuntimeError:  # the interpreter is exiting and cannot start threads
            run()

    try:
        start()
        over.acquire()
    except BaseException:
        deadline = time.monotonic() + _FINISH_TIMEOUT
        if not begun.locked():
            start()  # the interruption may have come before the first thread was started
        while not results and not errors and time.monotonic() < deadline:
            over.acquire(timeout=0.01)
        if results and undo is not None:
            undo(results[0])
        raise
    if errors:
        raise errors[0]
    return results[0]
