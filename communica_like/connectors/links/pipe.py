"""A Link over two pipes, one for each direction: pipe(7), fifo(7)."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from ...abc import Link, PeerIdentity
from ...system import fork
from .send_buffer import SendBuffer

__all__ = ["PipeLink"]

_READ_SIZE: Final = 64 * 1024  # as much as a pipe holds
_MANY: Final = 64  # buffers for one writev(2), which takes IOV_MAX, 1024 or more


class PipeLink(Link):
    """One end of a pair of pipes. It owns both descriptors, and belongs to the running event loop.

    When the last process that has the other end open closes it, or dies, there is an end of file here.

    Args:
        reading, writing: non-blocking descriptors.
        peer: who is at the other end.

    Set ``receiver`` before ``start``.
    """

    def __init__(self, reading: int, writing: int, peer: PeerIdentity) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading = reading
        self._writing = writing
        self._unsent = SendBuffer()
        self._closing = False  # nothing more is taken for sending
        self._writing_over = False
        self._broken = False
        self.peer = peer
        self.writable = True
        fork.add(reading)
        fork.add(writing)

    def start(self) -> None:
        """Begin to read. On a broken link it does nothing."""
        if not self._broken:
            self._loop.add_reader(self._reading, self._read)

    def send(self, data: bytes) -> None:
        if self._closing or self._writing_over or not data:
            return
        rest: bytes | memoryview = data
        if not self._unsent:
            try:
                count = os.write(self._writing, data)
            except BlockingIOError:
                count = 0
            except OSError:
                self._refused()
                return
            if count == len(data):
                return
            self._loop.add_writer(self._writing, self._write)
            rest = memoryview(data)[count:]
        self._unsent.append(rest)
        if self._unsent.full:
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
        """Some bytes were read: give them to the receiver."""
        self.receiver.data_received(data)

    def _refused(self) -> None:
        """Nobody reads what is sent: stop to send. What the other side still sent is read up to its end."""
        self._end_writing()

    def _let_go(self, descriptor: int) -> None:
        """Close one of the pipes, which is not watched any more."""
        fork.discard(descriptor)
        os.close(descriptor)

    def _report(self, error: Exception | None) -> None:
        """The pipes are closed: tell the receiver."""
        self.receiver.link_broken(error)

    # -- reading

    def _read(self) -> bool:
        """Read once; return whether there was anything to read."""
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
            count = os.writev(self._writing, unsent.first(_MANY))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._refused()
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
        if not self._writing_over:
            self._writing_over = True
            self.writable = False
            self._unsent.clear()
            self._loop.remove_writer(self._writing)
            self._let_go(self._writing)

    def _break(self, error: Exception | None) -> None:
        if self._broken:
            return
        self._broken = True
        self._end_writing()
        self._loop.remove_reader(self._reading)
        self._let_go(self._reading)
        self._loop.call_soon(self._report, error)
