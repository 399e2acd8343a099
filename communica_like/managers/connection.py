"""SocketConnection: a socket as a Connection of multiprocessing."""

from __future__ import annotations

import socket
import struct
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    _Connection = Connection[Any, Any]
else:
    _Connection = Connection

_READ_SIZE: Final = 256 * 1024


class SocketConnection(_Connection):
    """Speaks multiprocessing's protocol over a blocking socket.

    Attributes:
        socket: the socket.
        foreign: whether the server at the other end is another program's.
    """

    foreign = False

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.fileno())
        self.socket = sock
        self._deadline: float | None = None

    def limit(self, seconds: float | None) -> None:
        """Let reads and writes fail after this time; None: never.

        They raise TimeoutError or BlockingIOError.
        """
        if seconds is not None:
            self._deadline = time.monotonic() + seconds
        elif self._deadline is not None:
            self._deadline = None
            if not self.closed:
                self._limit_each(0)

    def send(self, obj: Any) -> None:
        """Send an object."""
        # Not the view that the base class sends: if that fails, and the error is kept in a cycle, the
        # collector comes to the view's owner first, and since CPython 3.13 complains that it has a view.
        self.send_bytes(bytes(ForkingPickler.dumps(obj)))

    def detach(self) -> socket.socket:
        """Return the socket, which is the caller's to close from now on."""
        self._handle = None
        return self.socket

    def _close(self) -> None:
        self.socket.close()

    def _send(self, buf: Any, write: object = None) -> None:
        super()._send(buf, self._write_some)  # type: ignore[misc]

    def _recv(self, size: int, read: object = None) -> Any:
        return super()._recv(size, self._read_some)  # type: ignore[misc]

    def _write_some(self, handle: int, data: Any) -> int:
        self._check_time()
        return self.socket.send(data)

    def _read_some(self, handle: int, size: int) -> bytes:
        self._check_time()
        return self.socket.recv(min(size, _READ_SIZE))

    def _check_time(self) -> None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left < 0.001:
                raise TimeoutError("the other end is too slow")
            self._limit_each(left)

    def _limit_each(self, seconds: float) -> None:
        # The socket's own limits, as settimeout would make it one that does not block.
        if sys.platform == "win32":
            value = struct.pack("@L", int(seconds * 1000))
        else:
            value = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))  # struct timeval
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
