"""The lines of a named pipe, taken so that an interruption loses none."""

from __future__ import annotations

import os
import queue
import sys
from typing import Self

from ..queues import PipeQueue
from .message_queue import Message, MessageQueue

if sys.platform != "win32":
    from select import PIPE_BUF

__all__ = ["PipeMessages"]


class PipeMessages(MessageQueue, PipeQueue):
    """A PipeQueue whose items are lines, with their ends.

    Args:
        path, history, mode, create: as for PipeQueue.
    """

    def put_nowait(self, item: bytes, /) -> None:
        if len(item) >= PIPE_BUF or b"\n" in item:
            self._line(item)  # it tells what is wrong
        with self._lock:
            if self._closed:
                self._check_open()
            try:
                os.write(self._write_end, item + b"\n")
            except BlockingIOError:
                raise queue.Full from None

    take_nowait = PipeQueue._take_into

    def put_back(self, message: Message) -> None:
        self._send(message[0])

    def reopened(self) -> Self:
        core = type(self)(self.path, create=False)
        if os.path.samestat(core._file, self._file):
            return core
        core.close()
        raise FileNotFoundError(f"the pipe {self.path} was removed, and there is another one")

    def abandon(self) -> None:
        self._closed = True
        self._close_descriptors()
