"""LineChild: a running child process, and the lines to and from it."""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import Callable
from typing import Final

from ...aio.waiters import Waiters
from ...exceptions import Closed, ConnectionLost
from ...system.child_process import ChildProcess
from .reader import LineReader

_EXIT_TIMEOUT: Final = 1.0  # seconds from the end of a pipe until the child is assumed to run on without it


class LineChild:
    """A running child, with attempts to read and write a line that do not wait.

    Lines are written while the pipe has room; the rest of at most one line is kept here.

    Args:
        launch: starts it: a ChildProcess that lacks *on_end* and *on_loop_end*.
        getters, putters: notified when ``take`` or ``write`` may have another result; putters of room only
            between ``watch`` and ``ignore``.
        max_waiting_bytes: as for LineReader.

    Attributes:
        process: the child.
        reader: the lines that it wrote.
    """

    def __init__(
        self, launch: Callable[..., ChildProcess], getters: Waiters, putters: Waiters, max_waiting_bytes: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._getters = getters
        self._putters = putters
        self._settled = False  # the child has ended, or is known to run on without a pipe
        self._rest = memoryview(b"")  # of a line
        self._finished = False
        self.process = launch(on_end=self._ended, on_loop_end=self.kill)
        self.reader = LineReader(self.process, max_waiting_bytes, self._lines_came)

    def take(self) -> bytes:
        """Return the next line. Raise queue.Empty, or ConnectionLost after the last one."""
        line = self.reader.take()
        if line is not None:
            return line
        if self.reader.over.is_set() and self._settled:
            raise ConnectionLost(self.process.describe("closed its stdout"), sent=True)
        raise queue.Empty

    def write(self, data: bytes) -> None:
        """Write a line. Raise queue.Full, ConnectionLost, or Closed after ``finish_input``."""
        if self._finished:
            raise Closed("end_input() was called")
        if self._rest or self.process.input.closed or not self._write(data):
            if self.process.input.closed and self._settled:
                raise ConnectionLost(self.process.describe("closed its stdin"), sent=False)
            raise queue.Full
        if self._rest:
            self.watch()

    def finish_input(self) -> None:
        """Close its stdin after the lines that were written."""
        self._finished = True
        if not self._rest:
            self.process.let_go(self.process.input)
        self._putters.notify()

    def watch(self) -> None:
        """Start to notify putters of room."""
        if not self.process.input.closed:
            self._loop.add_writer(self.process.input.fileno(), self._writable)

    def ignore(self) -> None:
        """Stop notifying putters of room. The rest of a line is still written."""
        if not self.process.input.closed and not self._rest:
            self._loop.remove_writer(self.process.input.fileno())

    async def stop(self, timeout: float) -> None:
        """End the child, and close all. See ProcessLines.stop."""
        try:
            self.reader.discard()
            self.finish_input()
            await self.process.end(timeout, self.reader.over)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the child now, and close all. Repeated calls do nothing."""
        self._settled = True
        self.reader.over.set()
        self.reader.discard()
        self.process.kill()

    # -- writing

    def _write(self, data: bytes | memoryview) -> bool:
        try:
            written = os.write(self.process.input.fileno(), data)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # EPIPE
            self._drop_input()
            self._pipe_ended()
            return False
        self._rest = memoryview(data)[written:]
        return True

    def _drop_input(self) -> None:
        self._rest = memoryview(b"")
        self.process.let_go(self.process.input)

    # -- calls from the loop

    def _writable(self) -> None:
        if self._rest:
            self._write(self._rest)
            if self._rest or self.process.input.closed:
                return
        if self._finished:
            self.process.let_go(self.process.input)
        elif not self._putters.notify():
            self.ignore()

    def _lines_came(self) -> None:
        if self.reader.over.is_set():
            self._pipe_ended()
        self._getters.notify()

    def _pipe_ended(self) -> None:
        # Most likely the child has ended, and its exit code comes next. But it may run on.
        if not self._settled:
            self._loop.call_later(_EXIT_TIMEOUT, self._settle)

    def _ended(self) -> None:
        self._settled = True
        self._drop_input()
        self.reader.child_ended()
        self._settle()

    def _settle(self) -> None:
        self._settled = True
        self._getters.notify()
        self._putters.notify()
