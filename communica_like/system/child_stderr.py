"""StderrTail: reads what a child process writes to stderr, and keeps the end of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

_TAIL_SIZE: Final = 4096  # bytes
_READ_SIZE: Final = 65536
_LAST_READS: Final = 16  # a pipe holds 64 KiB, rarely 1 MiB


class StderrTail:
    """Reads a child's stderr until it ends.

    Args:
        descriptor: the read end of the pipe, non-blocking. The caller closes it.
        on_data: called with each piece that was read. An exception goes to the loop's exception handler.

    Attributes:
        tail: the last bytes read, at most 4 KiB.
    """

    def __init__(self, descriptor: int, on_data: Callable[[bytes], object] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._on_data = on_data
        self.tail = b""
        self._loop.add_reader(descriptor, self._read)

    def drain(self) -> None:
        """Read what is in the pipe, but stop if other processes keep writing to it."""
        for _ in range(_LAST_READS):
            if not self._read():
                break

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        if not data:
            self._loop.remove_reader(self._descriptor)
            return False
        self.tail = (self.tail + data)[-_TAIL_SIZE:]
        if self._on_data is not None:
            try:
                self._on_data(data)
            except Exception as exc:
                context = {"message": "on_stderr of a child process failed", "exception": exc}
                self._loop.call_exception_handler(context)
        return True
