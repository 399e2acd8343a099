"""Who may serve a Unix socket's path: a lock beside it, a probe, and no theft."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Final

from ..exceptions import AddressInUse, LinkError
from . import fork
from .lock_file import LockFile
from .state_directory import private_directory

__all__ = ["SocketFile", "runtime_directory", "try_connect"]

_BACKLOG: Final = 4096


def runtime_directory() -> Path:
    """Return this user's private directory for sockets; create it if need be.

    ``communica_like-<uid>`` in the system's directory for temporary files, mode 0700.

    Raises:
        LinkError: something else has that name, or it is open to others.
    """
    return private_directory(Path(tempfile.gettempdir()))


async def try_connect(path: str) -> socket.socket:
    """Return a connected socket; wait while the server's backlog is full.

    asyncio's own ``create_unix_connection`` takes a full backlog for success.

    Raises:
        OSError: as connect(2) does; ConnectionRefusedError or FileNotFoundError if nobody serves.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    delay = 0.001
    try:
        while True:
            try:
                sock.connect(path)
            except BlockingIOError:
                await asyncio.sleep(delay)
                delay = min(2 * delay, 0.05)
            else:
                return sock
    except BaseException:
        sock.close()
        raise


class SocketFile:
    """A bound, listening socket and the lock that says so.

    The lock is flock(2) on ``<path>.lock``: it ends with the process, however that ends, and a socket
    file that a dead server left behind stops nobody.

    Args:
        path: where the socket is to be.

    Raises:
        AddressInUse: a live server has the lock, or answers at the path.
        LinkError: the path cannot be used.
    """

    def __init__(self, path: str) -> None:
        self._path = path
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
        self._inode = os.stat(path).st_ino
        fork.add(self.socket.fileno())

    def release(self) -> None:
        """Remove the socket file and the lock, if they are still ours."""
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        fork.discard(self.socket.fileno())
        self._lock.release()

    def _clear_stale(self) -> None:
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise LinkError(f"{self._path} exists and is no socket")
        # A server of another kind takes no lock: ask before removing its socket.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self._path)
            except ConnectionRefusedError:
                os.unlink(self._path)
                return
            except FileNotFoundError:
                return
            except BlockingIOError:
                pass  # its backlog is full: it lives
        raise AddressInUse(f"a live server already serves {self._path}")

    def _bind(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            # Owner-only from the first moment: bind(2) creates the file with the socket's own mode.
            os.fchmod(sock.fileno(), 0o600)
            sock.bind(self._path)
            os.chmod(self._path, 0o600)
            sock.listen(_BACKLOG)
        except OSError as exc:
            sock.close()
            if exc.errno == errno.EADDRINUSE:
                raise AddressInUse(f"{self._path} was taken a moment ago") from exc
            raise
        return sock
