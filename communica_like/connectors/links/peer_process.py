"""The process at the other end of a link, whose end is noticed at once where the kernel can tell."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from ...exceptions import PeerGone
from ...system import ProcessId

__all__ = ["PeerProcess"]

_GRACE: Final = 0.05  # seconds that a process may take to end after its descriptors were closed
_LONGEST: Final = 5.0  # seconds that it may take when its end has begun, on a busy machine


class PeerProcess:
    """Watches a process from the running event loop: pidfd_open(2), Linux 5.3.

    Where there is no such thing, and of processes in other pid namespaces, nothing is noticed, and the
    session's heartbeat has to do.

    Args:
        process: which one.
        on_end: called once, on the loop, soon after it has ended; not after ``close`` or ``conclude``.
    """

    def __init__(self, process: ProcessId, on_end: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        self._pidfd: int | None = None
        self.process = process
        if process.known_here:
            try:
                self._pidfd = os.pidfd_open(process.pid)
            except (AttributeError, OSError, OverflowError):
                pass  # not Linux, too old a one; or the process is gone, or there cannot be one
        # After the descriptor was opened, so that it is not another process with the same pid.
        self.ended = not process.alive
        if self.ended:
            self._loop.call_soon(self._has_ended)
        elif self._pidfd is not None:
            self._loop.add_reader(self._pidfd, self._has_ended)

    def close(self) -> None:
        """Watch no longer."""
        pidfd, self._pidfd = self._pidfd, None
        if pidfd is not None:
            self._loop.remove_reader(pidfd)
            os.close(pidfd)
        self._on_end = _nothing

    def conclude(self, report: Callable[[Exception | None], None], *, wait: bool) -> None:
        """The link is broken: *report*, once, PeerGone if the process has ended, else None.

        Args:
            wait: whether the other side broke it: then its process may be about to end.
        """
        timer: asyncio.TimerHandle

        def finish() -> None:
            timer.cancel()
            self.close()
            gone = PeerGone(f"the process {self.process.pid} at the other end has ended")
            report(gone if self.ended else None)

        def look() -> None:
            nonlocal timer
            if self.process.ending and self._loop.time() < until:
                timer = self._loop.call_later(_GRACE, look)
            else:
                finish()

        until = self._loop.time() + _LONGEST
        timer = self._loop.call_later(_GRACE, look)
        if wait and not self.ended and self._pidfd is not None:
            self._on_end = finish
        else:
            finish()

    def _has_ended(self) -> None:
        self.ended = True
        on_end = self._on_end
        self.close()
        on_end()


def _nothing() -> None:
    """The end is known, or nobody wants to."""
