"""LineChild: a running child process, and the lines to and from it."""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ...aio.waiters import Waiters
from ...exceptions import Closed, ConnectionLost
from ...system.child_process import ChildProcess
from .reader import LineReader
from .writer import LineWriter

_EXIT_TIMEOUT: Final = 1.0  # seconds from the end of a pipe until the child is assumed to run on without it


class LineChild:
    """A running child, with attempts to read and write a line that do not wait.

    Args:
        command, env, cwd, on_stderr: as for ChildProcess, which lists what is raised.
        getters, putters: notified when ``take`` or ``write`` may have another result; putters only between
            ``watch`` and ``ignore``.
        max_waiting_bytes: as for LineReader.

    Attributes:
        process: the child.
        reader: the lines that it wrote.
    """

    def __init__(
        self,
        command: Sequence[str],
        getters: Waiters,
        putters: Waiters,
        max_waiting_bytes: int,
        *,
        env: Mapping[str, str] | None,
        cwd: str | os.PathLike[str] | None,
        on_stderr: Callable[[bytes], object] | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._getters = getters
        self._putters = putters
        self._settled = False  # the child has ended, or is known to run on without a pipe
        self.process = ChildProcess(
            command, env=env, cwd=cwd, on_end=self._ended, on_loop_end=self.kill, on_stderr=on_stderr
        )
        self.reader = LineReader(self.process, max_waiting_bytes, self._lines_came)
        self._writer = LineWriter(self.process, self._writable, self._pipe_ended)
        self.watch, self.ignore = self._writer.watch, self._writer.ignore

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
        if self._writer.finished:
            raise Closed("end_input() was called")
        try:
            self._writer.write(data)
        except queue.Full:
            if self.process.input.closed and self._settled:
                raise ConnectionLost(self.process.describe("closed its stdin"), sent=False) from None
            raise

    def finish_input(self) -> None:
        """Close its stdin after the lines that were written."""
        self._writer.finish()
        self._putters.notify()

    async def stop(self, timeout: float) -> None:
        """End the child, and close all. See ProcessLines.stop."""
        try:
            self.reader.discard()
            self._writer.finish()
            await self.process.end(timeout, self.reader.over)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the child now, and close all. Repeated calls do nothing."""
        if self.process.killed:
            return
        self._settled = True
        self.reader.over.set()
        self.reader.discard()
        self.process.kill()

    # -- calls from the loop

    def _writable(self) -> None:
        if self._putters:
            self._putters.notify()
        else:
            self._writer.ignore()

    def _lines_came(self) -> None:
        if self.reader.over.is_set():
            self._pipe_ended()
        self._getters.notify()

    def _pipe_ended(self) -> None:
        # Most likely the child has ended, and its exit code comes next. But it may run on.
        if not self._settled and not self.process.killed:
            self._loop.call_later(_EXIT_TIMEOUT, self._settle)

    def _ended(self) -> None:
        self._settled = True
        self._writer.drop()
        self.reader.child_ended()
        self._settle()

    def _settle(self) -> None:
        self._settled = True
        self._getters.notify()
        self._putters.notify()
