"""LineWriter: writes lines to a child process, each of them whole."""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import Callable

from ...system.child_process import ChildProcess


class LineWriter:
    """Writes lines to a child's stdin while the pipe has room, and keeps the rest of at most one line.

    Args:
        process: the child, just started.
        on_writable: called when there may be room, between ``watch`` and ``ignore``.
        on_broken: called when the child has closed its stdin.

    Attributes:
        finished: ``finish`` was called.
    """

    def __init__(
        self, process: ChildProcess, on_writable: Callable[[], None], on_broken: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._on_writable = on_writable
        self._on_broken = on_broken
        self._rest = memoryview(b"")
        self.finished = False

    def write(self, data: bytes) -> None:
        """Take *data*. Raise queue.Full if there is no room, or the pipe is closed."""
        if self._rest or self._process.input.closed or not self._write(data):
            raise queue.Full
        if self._rest:
            self.watch()

    def finish(self) -> None:
        """Close stdin once all that was taken is written."""
        self.finished = True
        if not self._rest:
            self._process.let_go(self._process.input)

    def drop(self) -> None:
        """Drop what is not written, and close stdin."""
        self._rest = memoryview(b"")
        self._process.let_go(self._process.input)

    def watch(self) -> None:
        """Start to call ``on_writable``."""
        if not self._process.input.closed:
            self._loop.add_writer(self._process.input.fileno(), self._writable)

    def ignore(self) -> None:
        """Stop calling ``on_writable``. The rest of a line is still written."""
        if not self._process.input.closed and not self._rest:
            self._loop.remove_writer(self._process.input.fileno())

    def _write(self, data: bytes | memoryview) -> bool:
        try:
            written = os.write(self._process.input.fileno(), data)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # EPIPE
            self.drop()
            self._on_broken()
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
            self._on_writable()
