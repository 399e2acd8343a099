"""A socket as a Connection of multiprocessing."""

from __future__ import annotations

import socket
import struct
import sys
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Connection = Connection[Any, Any]
else:
    _Connection = Connection

__all__ = ["SocketConnection", "limit_time"]


class SocketConnection(_Connection):
    """Speaks multiprocessing's protocol over a blocking socket, which can be had back.

    Attributes:
        socket: the socket.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.fileno())
        self.socket = sock

    def send(self, obj: Any) -> None:
        """Send an object."""
        # Not the view that the base class sends: if that fails, and whoever keeps the error is in a cycle,
        # the collector comes to the view's owner first, and since CPython 3.13 complains that it has a view.
        self.send_bytes(bytes(ForkingPickler.dumps(obj)))

    def detach(self) -> socket.socket:
        """Return the socket, which is the caller's to close from now on."""
        self._handle = None
        return self.socket

    def _close(self) -> None:
        self.socket.close()


def limit_time(sock: socket.socket, seconds: float) -> None:
    """Let each read and write on a blocking socket fail with BlockingIOError after this time; 0: never."""
    if sys.platform == "win32":
        value = struct.pack("@L", int(seconds * 1000))
    else:
        value = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))  # struct timeval
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
