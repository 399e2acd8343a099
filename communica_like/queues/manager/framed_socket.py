"""A stream socket as a line for frames: any thread sends and never waits, one at a time receives."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from ...system import fork

__all__ = ["LARGEST_FRAME", "READ_SIZE", "FrameSocket"]

LARGEST_FRAME: Final = 2**32 - 1  # bytes
READ_SIZE: Final = 64 * 1024
"""The most that is received at once."""

_LENGTH: Final = struct.Struct("!I")
# As tuples, for map. To make room for 64 KiB takes longer than to receive a few bytes.
_LARGE_READ: Final = (READ_SIZE,)
_SMALL_READ: Final = (4096,)


class FrameSocket:
    """Frames with their length before them, both ways. Somebody else sees to it that it receives, and sends.

    Whatever is raised in the main thread by a signal, no frame is sent or received in part. One that is
    received at that moment may be delivered twice.

    Args:
        sock: connected; this object owns it from now on.
        received: called with each frame.
        unsent: called, with a lock held, when something is left for ``flush``.

    Attributes:
        more: whether there was as much as could be received at once; there may be more.
    """

    def __init__(
        self, sock: socket.socket, received: Callable[[bytes], object], unsent: Callable[[], object]
    ) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._received = received
        self._tell_unsent = unsent
        self._lock = threading.Lock()
        self._buffer = bytearray()
        self._read_size = _SMALL_READ
        self._unsent: deque[memoryview] = deque()
        self._ending = False
        self._over = False
        self.more = False
        self._descriptor = sock.fileno()
        fork.add(self._descriptor)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._descriptor

    # -- from any thread

    def send(self, frame: bytes) -> bool:
        """Send a frame; what the socket does not take now, later. Return False if the line has ended."""
        with self._lock:
            if self._over or self._ending:
                return False
            data = _LENGTH.pack(len(frame)) + frame
            if self._unsent:
                self._unsent.append(memoryview(data))
                return True
            sent: list[int] = []
            try:
                _send(self._socket, data, sent)
            except OSError:
                return False  # whoever receives finds that out, too
            finally:
                self._keep_rest(data, sent)
            return True

    def try_send(self, frame: bytes) -> bool:
        """Send a frame if the socket takes all of it, or some of it, now; else return False.

        Raises:
            OSError: the line has ended.
        """
        with self._lock:
            if self._over or self._ending:
                raise ConnectionAbortedError("the line has ended")
            if self._unsent:
                return False
            data = _LENGTH.pack(len(frame)) + frame
            sent: list[int] = []
            try:
                _send(self._socket, data, sent)
            finally:
                if sent:
                    self._keep_rest(data, sent)
            return bool(sent)

    def hang_up(self) -> None:
        """Break the line. This takes no locks."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    @property
    def unsent(self) -> bool:
        """Whether anything is still to be sent."""
        return bool(self._unsent)

    def hung_up(self) -> bool:
        """Whether the other side is gone, and nothing that it sent is left to be read."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    # -- from one thread at a time

    def receive(self) -> int:
        """Receive what there is, once. Return how many bytes; 0: there is nothing; -1: it is the end.

        Raises:
            Exception: what *received* raises.
        """
        self.more = False
        try:
            if self._buffer:
                self._deliver()  # what somebody was interrupted in
            size = len(self._buffer)
            # In one step, between whose parts no signal is handled.
            deque(map(self._buffer.__iadd__, map(self._socket.recv, self._read_size)), 0)
            count = len(self._buffer) - size
            if not count:
                return -1
            self.more = count == self._read_size[0]
            self._read_size = _LARGE_READ if self.more else _SMALL_READ
            self._deliver()
            return count
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return -1

    def flush(self) -> bool:
        """Send what was not sent; return whether nothing is left. Not in the main thread."""
        with self._lock:
            while self._unsent:
                try:
                    count = self._socket.send(self._unsent[0])
                except (BlockingIOError, InterruptedError):
                    return False
                if count == len(self._unsent[0]):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = self._unsent[0][count:]
            return True

    def close(self) -> None:
        """Close the socket. Nobody may be receiving."""
        with self._lock:
            self._over = True
            self._unsent.clear()
            fork.discard(self._descriptor)
            self._socket.close()

    # --

    def _deliver(self) -> None:
        buffer = self._buffer
        while len(buffer) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
            if len(buffer) < end:
                break
            if end <= READ_SIZE:
                data = bytes(buffer[_LENGTH.size : end])
            else:
                with memoryview(buffer) as view:
                    data = bytes(view[_LENGTH.size : end])
            self._received(data)
            del buffer[:end]

    def _keep_rest(self, data: bytes, sent: list[int]) -> None:
        # The lock is held.
        count = sum(sent)
        if count < len(data):
            self._unsent.append(memoryview(data)[count:])
            self._tell_unsent()


def _send(sock: socket.socket, data: bytes, sent: list[int]) -> None:
    """Send what the socket takes, and add to *sent* how much that is: in one step for signals."""
    try:
        sent.extend(map(sock.send, (data,)))
    except (BlockingIOError, InterruptedError):
        pass
