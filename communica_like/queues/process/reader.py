"""The lines that a child process has written, as far as they were read."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Final

from ...system.child_process import ChildProcess

__all__ = ["LineReader"]

_READ: Final = 65536
_COST: Final = 64  # bytes of memory that a line takes beside its own


class LineReader:
    """Reads a child's output in the background, while not too much of it waits.

    Args:
        process: the child, just started.
        bound: of the bytes that wait; it is exceeded by what one read gives, and by one longer line.
        tell: called when there are more lines, and when there will be no more.

    Attributes:
        over: set when the output has ended, or the child has and what it left was read.
    """

    def __init__(self, process: ChildProcess, bound: int, tell: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._bound = bound
        self._tell = tell
        self._lines: deque[bytes] = deque()
        self._parts: list[bytes] = []  # of a line whose end is still to come
        self._waiting = 0
        self._reading = False
        self._discarding = False
        self.over = asyncio.Event()
        self._go_on()

    def __len__(self) -> int:
        return len(self._lines)

    def take(self) -> bytes | None:
        """Return the next line without its newline; None: none has come."""
        if not self._lines and not self.over.is_set():
            self._read()
        if not self._lines:
            return None
        line = self._lines.popleft()
        self._waiting -= len(line) + _COST
        if not self._reading:
            self._go_on()
        return line

    def child_ended(self) -> None:
        """The rest of its output is in the pipe: read it, as far as the bound allows."""
        self._reading = False
        self._go_on()

    def discard(self) -> None:
        """Throw away what came and what will come, so that the child does not wait for a reader."""
        self._discarding = True
        self._lines.clear()
        self._parts.clear()
        self._waiting = 0
        self._go_on()

    def end(self) -> None:
        """There is no more. A line without a newline is a line now."""
        if self.over.is_set():
            return
        self.over.set()
        self._process.let_go(self._process.output)
        if any(self._parts):
            self._add([b""], self._parts)
            self._parts = []
        self._tell()

    def _go_on(self) -> None:
        if self.over.is_set() or not self._has_room():
            return
        if self._process.ended.is_set() and not self._discarding:
            # Nothing tells of an empty pipe that others hold open, so it is read until it is empty.
            self._reading = True
            self._drain()
        elif not self._reading:
            self._reading = True
            self._loop.add_reader(self._process.output.fileno(), self._read)

    def _has_room(self) -> bool:
        return not self._lines or self._waiting <= self._bound

    def _drain(self) -> None:
        for _ in range(16):  # others may write for ever, and the loop has more to do
            if self.over.is_set() or not self._reading:
                return
            self._read()
        self._loop.call_soon(self._drain)

    def _read(self) -> None:
        if self.over.is_set():
            return
        try:
            data = os.read(self._process.output.fileno(), _READ)
        except (BlockingIOError, InterruptedError):
            if self._process.ended.is_set() and not self._discarding:
                self.end()
            return
        if not data:
            self.end()
        elif not self._discarding:
            self._received(data)

    def _received(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._parts.append(first)
        self._waiting += len(first)
        if others:
            self._add(others, self._parts)
            self._parts = [others[-1]]
            self._waiting += len(others[-1])
        if not self._has_room():
            self._reading = False
            self._loop.remove_reader(self._process.output.fileno())
        if others:
            self._tell()

    def _add(self, others: list[bytes], parts: list[bytes]) -> None:
        # The bytes of the parts are counted already.
        self._lines.append(b"".join(parts))
        self._lines.extend(others[:-1])
        self._waiting += sum(map(len, others[:-1])) + _COST * len(others)
