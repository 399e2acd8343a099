"""Whether a signal was handled while the main thread waited."""

from __future__ import annotations

import os
import signal
import socket
import threading

__all__ = ["SignalWatch"]


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
