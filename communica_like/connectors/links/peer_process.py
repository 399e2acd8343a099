"""The process at the other end of a link."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from ...exceptions import PeerGone
from ...system import ProcessId

_POLL_INTERVAL: Final = 0.05  # seconds; most processes end within one of closing their descriptors
_EXIT_TIMEOUT: Final = 5.0  # seconds that a process may take to exit, on a busy machine


class PeerProcess:
    """Watches a process from the running event loop: pidfd_open(2), Linux 5.3.

    On other systems, and for processes of other pid namespaces, it notices nothing. The session's heartbeat
    has to do there.

    Args:
        process: the process.
        on_end: called once, on the loop, when the process has ended; not after ``close`` or ``conclude``.

    Attributes:
        ended: whether the process is known to have ended.
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
                pass  # not Linux 5.3 or later; or the process has ended, or cannot exist
        # Checked after the descriptor was opened, which may belong to a later process with the same pid.
        self.ended = not process.alive
        if self.ended:
            self._loop.call_soon(self._has_ended)
        elif self._pidfd is not None:
            self._loop.add_reader(self._pidfd, self._has_ended)

    def close(self) -> None:
        """Stop watching."""
        pidfd, self._pidfd = self._pidfd, None
        if pidfd is not None:
            self._loop.remove_reader(pidfd)
            os.close(pidfd)
        self._on_end = lambda: None

    def conclude(self, report: Callable[[Exception | None], None], *, wait: bool) -> None:
        """Stop watching, and call *report* once: with PeerGone if the process has ended.

        Args:
            wait: whether to wait while the process exits: the other side broke the link.
        """
        timer: asyncio.TimerHandle

        def finish() -> None:
            timer.cancel()
            self.close()
            gone = PeerGone(f"the process {self.process.pid} at the other end has ended")
            report(gone if self.ended else None)

        def poll() -> None:
            nonlocal timer
            if self.process.ending and self._loop.time() < deadline:
                timer = self._loop.call_later(_POLL_INTERVAL, poll)
            else:
                finish()

        deadline = self._loop.time() + _EXIT_TIMEOUT
        timer = self._loop.call_later(_POLL_INTERVAL, poll)
        if wait and not self.ended and self._pidfd is not None:
            self._on_end = finish
        else:
            finish()

    def _has_ended(self) -> None:
        self.ended = True
        on_end = self._on_end
        self.close()
        on_end()
