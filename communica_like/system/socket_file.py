"""SocketFile: a listening Unix socket whose path no other server can take over."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
import sys
from typing import Final

from ..exceptions import AddressInUse, LinkError
from . import fork
from .lock_file import LockFile

_BACKLOG: Final = 4096
_MAX_PATH: Final = 107 if sys.platform == "linux" else 103  # sun_path without its final NUL


def check_path_length(path: str, hint: str = "") -> str:
    """Return *path*, if a Unix socket can have it. *hint* ends the message otherwise.

    Raises:
        ValueError: it is longer than sun_path of unix(7).
    """
    size = len(os.fsencode(path))
    if size > _MAX_PATH:
        raise ValueError(
            f"the path of a Unix socket has at most {_MAX_PATH} bytes ({_MAX_PATH + 1} with the final NUL: "
            f"unix(7)), but {path!r} has {size}{hint}"
        )
    return path


async def try_connect(path: str) -> socket.socket:
    """Return a connected socket; wait while the server's backlog is full.

    asyncio's own ``create_unix_connection`` takes a full backlog for success.

    Raises:
        OSError: see connect(2). ConnectionRefusedError or FileNotFoundError: no server listens at *path*.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    delay = 0.001
    try:
        while True:
            try:
                sock.connect(path)
                return sock
            except BlockingIOError:
                await asyncio.sleep(delay)
                delay = min(2 * delay, 0.05)
    except BaseException:
        sock.close()
        raise


class SocketFile:
    """A bound, listening socket, and the lock on its path.

    The lock is flock(2) on ``<path>.lock``. It ends with the process, however that ends, so a socket file
    that a dead server left behind is replaced.

    Args:
        path: of the socket.

    Attributes:
        socket: non-blocking, mode 0600. The caller closes it, after ``release``.

    Raises:
        AddressInUse: a live server has the lock, or accepts connections at the path.
        LinkError: the path cannot be used.
        ValueError: see ``check_path_length``.
    """

    def __init__(self, path: str) -> None:
        self._path = check_path_length(path)
        try:
            self._lock = LockFile(f"{path}.lock")
        except BlockingIOError:
            raise AddressInUse(f"a live server already serves {path}") from None
        except OSError as exc:
            raise LinkError(f"cannot serve {path}: {exc}") from exc
        try:
            self._clear_stale()
            self.socket = self._bind()
        except BaseException as exc:
            self._lock.release()
            if isinstance(exc, OSError) and not isinstance(exc, LinkError | AddressInUse):
                raise LinkError(f"cannot serve {path}: {exc}") from exc
            raise
        self._inode = os.lstat(path).st_ino
        fork.add(self.socket.fileno())

    def release(self) -> None:
        """Remove the socket file and the lock file, unless others have replaced them."""
        with contextlib.suppress(FileNotFoundError):
            if os.lstat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        fork.discard(self.socket.fileno())
        self._lock.release()

    def _clear_stale(self) -> None:
        with contextlib.suppress(FileNotFoundError), socket.socket(socket.AF_UNIX) as probe:
            if not stat.S_ISSOCK(os.lstat(self._path).st_mode):
                raise LinkError(f"{self._path} exists and is not a socket")
            # A server of another kind takes no lock: probe before removing its socket.
            probe.setblocking(False)
            try:
                probe.connect(self._path)
            except ConnectionRefusedError:
                return os.unlink(self._path)
            except BlockingIOError:
                pass  # a live server with a full backlog
            raise AddressInUse(f"a live server already serves {self._path}")

    def _bind(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            # bind(2) creates the file with the socket's own mode, so it is never open to others.
            os.fchmod(sock.fileno(), 0o600)
            sock.bind(self._path)
            if sys.platform != "linux":  # there it has no use, and may meet what others put in its place
                os.chmod(self._path, 0o600)
            sock.listen(_BACKLOG)
        except OSError as exc:
            sock.close()
            if exc.errno == errno.EADDRINUSE:
                raise AddressInUse(f"{self._path} was taken a moment ago") from exc
            raise
        return sock
