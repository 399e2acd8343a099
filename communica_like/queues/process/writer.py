"""The lines that a child process is given, each of them as a whole."""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import Callable

from ...system.child_process import ChildProcess

__all__ = ["LineWriter"]


class LineWriter:
    """Writes lines to a child's stdin, as far as there is room, and keeps the rest of one line at most.

    Args:
        process: the child, just started.
        writable: called when there may be room, while that is watched.
        broken: called when nobody reads the lines any more.

    Attributes:
        finished: there will be no more lines.
    """

    def __init__(
        self, process: ChildProcess, writable: Callable[[], None], broken: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._tell_writable = writable
        self._tell_broken = broken
        self._rest = memoryview(b"")
        self.finished = False

    def write(self, data: bytes) -> None:
        """Take *data*, or raise queue.Full: there is no room, or nobody who reads."""
        if self._rest or self._process.input.closed or not self._write(data):
            raise queue.Full
        if self._rest:
            self.watch()

    def finish(self) -> None:
        """Close the stdin when all that was taken is written."""
        self.finished = True
        if not self._rest:
            self._process.let_go(self._process.input)

    def drop(self) -> None:
        """Nobody reads any more: forget what is not written."""
        self._rest = memoryview(b"")
        self._process.let_go(self._process.input)

    def watch(self) -> None:
        """From now on ``writable`` is called."""
        if not self._process.input.closed:
            self._loop.add_writer(self._process.input.fileno(), self._writable)

    def ignore(self) -> None:
        """No more calls of ``writable`` are needed. What is kept here is still written."""
        if not self._process.input.closed and not self._rest:
            self._loop.remove_writer(self._process.input.fileno())

    def _write(self, data: bytes | memoryview) -> bool:
        try:
            written = os.write(self._process.input.fileno(), data)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # EPIPE
            self.drop()
            self._tell_broken()
            return False
        self._rest = memoryview(data)[written:]
        return True

    def _writable(self) -> None:
        if self._rest:
            self._write(self._rest)
            if self._rest or self._process.input.closed:
                return
        if self.finished:
            self._process.let_go(self._process.input)
        else:
            self._tell_writable()
