"""LineReader: reads the lines that a child process writes."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Final

from ...system.child_process import ChildProcess

_READ_SIZE: Final = 65536
_LINE_OVERHEAD: Final = 64  # bytes of memory
_READS_PER_TURN: Final = 16  # of the event loop


class LineReader:
    """Reads a child's output in the background, up to a bound.

    Args:
        process: the child, just started.
        bound: of the bytes that wait to be taken. One read, or one longer line, may exceed it.
        on_lines: called when there are more lines, and when there will be no more.

    Attributes:
        over: set when the output has ended, or the child has ended and what it left was read.
    """

    def __init__(self, process: ChildProcess, bound: int, on_lines: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._bound = bound
        self._on_lines = on_lines
        self._lines: deque[bytes] = deque()
        self._parts: list[bytes] = []  # of a line that has not ended
        self._waiting = 0
        self._reading = False
        self._discarding = False
        self.over = asyncio.Event()
        self._go_on()

    def __len__(self) -> int:
        return len(self._lines)

    def take(self) -> bytes | None:
        """Return the next line without its newline; None: there is none now."""
        if not self._lines and not self.over.is_set():
            self._read()
        if not self._lines:
            return None
        line = self._lines.popleft()
        self._waiting -= len(line) + _LINE_OVERHEAD
        if not self._reading:
            self._go_on()
        return line

    def child_ended(self) -> None:
        """The child has ended: read the rest of its output, as far as the bound allows."""
        self._reading = False
        self._go_on()

    def discard(self) -> None:
        """Drop what was read, and what will be, so that the child does not wait for a reader."""
        self._discarding = True
        self._lines.clear()
        self._parts.clear()
        self._waiting = 0
        self._go_on()

    def _go_on(self) -> None:
        if self.over.is_set() or not self._has_room():
            return
        if self._process.ended.is_set() and not self._discarding:
            # The loop does not tell when a pipe that others hold open is empty, so read until it is.
            self._reading = True
            self._drain()
        elif not self._reading:
            self._reading = True
            self._loop.add_reader(self._process.output.fileno(), self._read)

    def _has_room(self) -> bool:
        return not self._lines or self._waiting <= self._bound

    def _drain(self) -> None:
        for _ in range(_READS_PER_TURN):  # others may keep writing
            if self.over.is_set() or not self._reading:
                return
            self._read()
        self._loop.call_soon(self._drain)

    def _read(self) -> None:
        if self.over.is_set():
            return
        try:
            data = os.read(self._process.output.fileno(), _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            if self._process.ended.is_set() and not self._discarding:
                self._end()
            return
        if not data:
            self._end()
        elif not self._discarding:
            self._received(data)

    def _received(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._parts.append(first)
        self._waiting += len(data) + (_LINE_OVERHEAD - 1) * len(others)  # no newlines
        if others:
            self._lines += (b"".join(self._parts), *others[:-1])
            self._parts = [others[-1]]
        if not self._has_room():
            self._reading = False
            self._loop.remove_reader(self._process.output.fileno())
        if others:
            self._on_lines()

    def _end(self) -> None:
        self.over.set()
        self._process.let_go(self._process.output)
        if any(self._parts):  # what came without a newline is the last line
            self._lines.append(b"".join(self._parts))
            self._waiting += _LINE_OVERHEAD
            self._parts = []
        self._on_lines()
