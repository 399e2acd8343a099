"""What a child process says on stderr: read at once, and the end of it kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

__all__ = ["StderrTail"]

_TAIL: Final = 4096
_READ: Final = 65536


class StderrTail:
    """Reads a child's stderr without end.

    Args:
        descriptor: our end of it, non-blocking; who made it closes it.
        tell: called with what it reads, in pieces; what it raises goes to the loop's exception handler.

    Attributes:
        tail: the last bytes, 4 KiB at most.
    """

    def __init__(self, descriptor: int, tell: Callable[[bytes], object] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._tell = tell
        self.tail = b""
        self._loop.add_reader(descriptor, self._read)

    def drain(self) -> None:
        """Read what is in the pipe; not for ever, if others go on writing."""
        for _ in range(16):  # a pipe holds 64 KiB, rarely 1 MiB
            if not self._read():
                break

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, _READ)
        except (BlockingIOError, InterruptedError):
            return False
        if not data:
            self._loop.remove_reader(self._descriptor)
            return False
        self.tail = (self.tail + data)[-_TAIL:]
        if self._tell is not None:
            try:
                self._tell(data)
            except Exception as exc:
                context = {"message": "on_stderr of a child process failed", "exception": exc}
                self._loop.call_exception_handler(context)
        return True
