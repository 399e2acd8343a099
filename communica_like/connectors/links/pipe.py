"""A Link over two pipes, one for each direction: pipe(7), fifo(7)."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from ...abc import Link, PeerIdentity
from ...system import fork
from .send_buffer import SendBuffer

_READ_SIZE: Final = 64 * 1024  # what a pipe holds
_WRITE_COUNT: Final = 64  # buffers for one writev(2), which takes IOV_MAX, 1024 or more


class PipeLink(Link):
    """One end of a pair of pipes, bound to the running event loop.

    Set ``receiver`` before ``start``. The end of file comes when the last process that has the other end open
    closes it, or dies.

    Args:
        reading, writing: non-blocking descriptors, which belong to the link from now on.
        peer: the identity of the other end.
    """

    def __init__(self, reading: int, writing: int, peer: PeerIdentity) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading = reading
        self._writing = writing
        self._unsent = SendBuffer()
        self._closing = False
        self._writing_ended = False
        self._broken = False
        self.peer = peer
        self.writable = True
        fork.add(reading)
        fork.add(writing)

    def start(self) -> None:
        """Begin to read. On a broken link this does nothing."""
        if not self._broken:
            self._loop.add_reader(self._reading, self._read)

    def send(self, data: bytes) -> None:
        if self._closing or self._writing_ended or not data:
            return
        rest: bytes | memoryview = data
        unsent = self._unsent
        if not unsent.size:
            try:
                count = os.write(self._writing, data)
            except BlockingIOError:
                count = 0
            except OSError:
                self._write_failed()
                return
            if count == len(data):
                return
            self._loop.add_writer(self._writing, self._write)
            rest = memoryview(data)[count:]
        unsent.append(rest)
        if unsent.full:
            self.writable = False

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self.writable = False
            if not self._unsent:
                self._end_writing()

    def abort(self) -> None:
        self._break(None)

    # -- for subclasses

    def _received(self, data: bytes) -> None:
        """Pass bytes that were read to the receiver."""
        self.receiver.data_received(data)

    def _write_failed(self) -> None:
        """Stop writing, as the other end is closed. Reading goes on to its end."""
        self._end_writing()

    def _close_descriptor(self, descriptor: int) -> None:
        """Close one of the pipes, which the loop no longer watches."""
        fork.discard(descriptor)
        os.close(descriptor)

    def _report(self, error: Exception | None) -> None:
        """Tell the receiver that the pipes are closed."""
        self.receiver.link_broken(error)

    # -- reading

    def _read(self) -> bool:
        """Read once. Return whether there was anything to read."""
        try:
            data = os.read(self._reading, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as exc:
            self._break(exc)
            return False
        if not data:
            self._break(None)
            return False
        self._received(data)
        return True

    # -- writing

    def _write(self) -> None:
        unsent = self._unsent
        try:
            count = os.writev(self._writing, unsent.first(_WRITE_COUNT))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._write_failed()
            return
        unsent.discard(count)
        if not unsent:
            self._loop.remove_writer(self._writing)
            if self._closing:
                self._end_writing()
                return
        if not self.writable and not self._closing and unsent.drained:
            self.writable = True
            self.receiver.link_writable()

    def _end_writing(self) -> None:
        if not self._writing_ended:
            self._writing_ended = True
            self.writable = False
            self._unsent.clear()
            self._loop.remove_writer(self._writing)
            self._close_descriptor(self._writing)

    def _break(self, error: Exception | None) -> None:
        if self._broken:
            return
        self._broken = True
        self._end_writing()
        self._loop.remove_reader(self._reading)
        self._close_descriptor(self._reading)
        self._loop.call_soon(self._report, error)
