"""LineChild: a running child process, and the lines to and from it."""

from __future__ import annotations

import asyncio
import os
import queue
from collections import deque
from collections.abc import Callable
from typing import Final

from ...aio.waiters import Waiters
from ...exceptions import Closed, ConnectionLost
from ...system.child_process import ChildProcess

_EXIT_TIMEOUT: Final = 1.0  # seconds from the end of a pipe until the child is assumed to run on without it
_READ_SIZE: Final = 65536
_LINE_OVERHEAD: Final = 64  # bytes of memory
_READS_PER_TURN: Final = 16  # of the event loop


class LineChild:
    """A running child, with attempts to read and write a line that do not wait.

    Its output is read in the background, up to a bound; one read, or one longer line, may exceed it. Lines
    are written while the pipe has room; the rest of at most one line is kept here.

    Args:
        launch: starts it: a ChildProcess that lacks *on_end* and *on_loop_end*.
        getters, putters: notified when ``take`` or ``write`` may have another result; putters of room only
            between ``watch`` and ``ignore``.
        bound: of the bytes that wait to be taken.

    Attributes:
        process: the child.
        lines: those that wait to be taken, without their newlines.
    """

    def __init__(
        self, launch: Callable[..., ChildProcess], getters: Waiters, putters: Waiters, bound: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._getters = getters
        self._putters = putters
        self._bound = bound
        self._settled = False  # the child has ended, or is known to run on without a pipe
        self._rest = memoryview(b"")  # of a line that is being written
        self._finished = False
        self.lines: deque[bytes] = deque()
        self._parts: list[bytes] = []  # of a line that has not ended
        self._waiting = 0  # bytes
        self._reading = False
        self._discarding = False
        self._output_over = asyncio.Event()  # or the child has ended, and what it left was read
        self.process = launch(on_end=self._ended, on_loop_end=self.kill)
        self._go_on()

    def take(self) -> bytes:
        """Return the next line. Raise queue.Empty, or ConnectionLost after the last one."""
        if not self.lines:
            self._read()
        if self.lines:
            line = self.lines.popleft()
            self._waiting -= len(line) + _LINE_OVERHEAD
            if not self._reading:
                self._go_on()
            return line
        if self._output_over.is_set() and self._settled:
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
            self._discard()
            self.finish_input()
            await self.process.end(timeout, self._output_over)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the child now, and close all. Repeated calls do nothing."""
        self._settled = True
        self._output_over.set()
        self._discard()
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

    def _writable(self) -> None:
        if self._rest:
            self._write(self._rest)
            if self._rest or self.process.input.closed:
                return
        if self._finished:
            self.process.let_go(self.process.input)
        elif not self._putters.notify():
            self.ignore()

    # -- reading

    def _go_on(self) -> None:
        if self._output_over.is_set() or not self._has_room():
            return
        if self.process.ended.is_set() and not self._discarding:
            # The loop does not tell when a pipe that others hold open is empty, so read until it is.
            self._reading = True
            self._drain()
        elif not self._reading:
            self._reading = True
            self._loop.add_reader(self.process.output.fileno(), self._read)

    def _has_room(self) -> bool:
        return not self.lines or self._waiting <= self._bound

    def _drain(self) -> None:
        for _ in range(_READS_PER_TURN):  # others may keep writing
            if self._output_over.is_set() or not self._reading:
                return
            self._read()
        self._loop.call_soon(self._drain)

    def _read(self) -> None:
        if self._output_over.is_set():
            return
        try:
            data = os.read(self.process.output.fileno(), _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            if self.process.ended.is_set() and not self._discarding:
                self._end_output()
            return
        if not data:
            self._end_output()
        elif not self._discarding:
            self._received(data)

    def _received(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._parts.append(first)
        self._waiting += len(data) + (_LINE_OVERHEAD - 1) * len(others)  # no newlines
        if others:
            self.lines += (b"".join(self._parts), *others[:-1])
            self._parts = [others[-1]]
        if not self._has_room():
            self._reading = False
            self._loop.remove_reader(self.process.output.fileno())
        if others:
            self._getters.notify()

    def _discard(self) -> None:
        """Drop what was read, and what will be, so that the child does not wait for a reader."""
        self._discarding = True
        self.lines.clear()
        self._parts.clear()
        self._waiting = 0
        self._go_on()

    def _end_output(self) -> None:
        self._output_over.set()
        self.process.let_go(self.process.output)
        if any(self._parts):  # what came without a newline is the last line
            self.lines.append(b"".join(self._parts))
            self._waiting += _LINE_OVERHEAD
            self._parts = []
        self._pipe_ended()
        self._getters.notify()

    # -- the end

    def _pipe_ended(self) -> None:
        # Most likely the child has ended, and its exit code comes next. But it may run on.
        if not self._settled:
            self._loop.call_later(_EXIT_TIMEOUT, self._settle)

    def _ended(self) -> None:
        self._settled = True
        self._drop_input()
        self._reading = False
        self._go_on()
        self._settle()

    def _settle(self) -> None:
        self._settled = True
        self._getters.notify()
        self._putters.notify()
