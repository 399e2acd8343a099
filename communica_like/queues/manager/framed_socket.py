"""FramedSocket: messages with their length before them, over a stream socket that never blocks."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from ...system import fork

QUICK: Final = 0.00015
"""Seconds to look again before going to sleep: longer than the other side takes to answer."""

give_way: Final[Callable[[], object]] = getattr(os, "sched_yield", lambda: None)
"""Let another process have this processor, which may be the one that is waited for."""

_READ_SIZE: Final = 64 * 1024
_LENGTH: Final = struct.Struct("!I")
# As tuples, for map. To make room for 64 KiB takes longer than to receive a few bytes.
_LARGE_READ: Final = (_READ_SIZE,)
_SMALL_READ: Final = (4096,)


class FramedSocket:
    """Frames with their length before them, both ways. What the socket does not take is kept for ``flush``.

    Whatever a signal raises in the main thread, no frame is sent or received in part. One that is received
    at that moment may be delivered twice.

    Args:
        sock: connected; this object owns it from now on.
        received: called with each frame, without its length.

    Attributes:
        unsent: bytes that the socket has not taken yet.
        more: whether there was as much as could be received at once; there may be more.
    """

    def __init__(self, sock: socket.socket, received: Callable[[bytes], object]) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._received = received
        self._lock = threading.Lock()
        self._buffer = bytearray()
        self._read_size = _SMALL_READ
        self._closed = False
        self.unsent: deque[memoryview] = deque()
        self.more = False
        self._descriptor = sock.fileno()
        fork.add(self._descriptor)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._descriptor

    # -- from any thread

    def send(self, data: bytes, *, wait: bool = True) -> bool:
        """Send frames; keep what the socket does not take.

        Args:
            wait: whether they may wait behind what is unsent. If not, and the socket takes none of it now,
                this returns False, and they are not sent.

        Raises:
            OSError: the connection has ended.
        """
        with self._lock:
            sent: list[int] = []
            try:
                if not self.unsent:
                    _send(self._socket, data, sent)
                elif not wait:
                    return False
            finally:
                count = sum(sent)
                if count < len(data) and (wait or count):
                    self.unsent.append(memoryview(data)[count:])
            return wait or count > 0

    def flush(self) -> bool:
        """Send what was not sent; return whether nothing is left.

        Raises:
            OSError: the connection has ended.
        """
        with self._lock:
            while self.unsent:
                sent: list[int] = []
                rest = self.unsent[0]
                try:
                    _send(self._socket, rest, sent)
                finally:
                    if sent and sent[0] < len(rest):
                        self.unsent[0] = rest[sent[0] :]
                    elif sent:
                        self.unsent.popleft()
                if not sent:
                    return False
            return True

    def hang_up(self) -> None:
        """Break the connection. Takes no locks."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket. Takes no locks; nothing may be receiving."""
        if not self._closed:
            self._closed = True
            fork.discard(self._descriptor)
            self._socket.close()

    # -- from one thread at a time

    def receive(self) -> int:
        """Receive what there is, once. Return how many bytes; 0: there is nothing; -1: it is the end.

        Raises:
            Exception: what *received* raises.
        """
        self.more = False
        try:
            if self._buffer:
                self.deliver()
            size = len(self._buffer)
            # In one step, between whose parts no signal is handled.
            deque(map(self._buffer.__iadd__, map(self._socket.recv, self._read_size)), 0)
            count = len(self._buffer) - size
            if not count:
                return -1
            self.more = count == self._read_size[0]
            self._read_size = _LARGE_READ if self.more else _SMALL_READ
            self.deliver()
            return count
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return -1

    def deliver(self) -> None:
        """Deliver the frames that were received: also those that an interrupted call left."""
        buffer = self._buffer
        while len(buffer) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
            if len(buffer) < end:
                break
            if end <= _READ_SIZE:
                data = bytes(buffer[_LENGTH.size : end])
            else:
                with memoryview(buffer) as view:
                    data = bytes(view[_LENGTH.size : end])
            self._received(data)
            del buffer[:end]


def _send(sock: socket.socket, data: bytes | memoryview, sent: list[int]) -> None:
    """Send what the socket takes, and add to *sent* how much that is: in one step for signals."""
    try:
        sent.extend(map(sock.send, (data,)))
    except (BlockingIOError, InterruptedError):
        pass
