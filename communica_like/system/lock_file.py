"""LockFile: an advisory lock, flock(2), that ends with its process."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Self

from . import fork

if sys.platform != "win32":
    import fcntl


class LockFile:
    """A file that one process at a time has locked: flock(2). The lock ends with the process.

    Args:
        path: of the file, which is created with mode 0600 if it is missing.

    Raises:
        BlockingIOError: another process has the lock.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._owner = os.getpid()
        self._descriptor = self._open_locked()
        fork.add(self._descriptor)

    @property
    def kept(self) -> bool:
        """Whether the file is still there. Once it is removed, others can lock a new one of the same name."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def write(self, data: bytes) -> None:
        """Replace the file's content with *data*."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)

    def release(self) -> None:
        """Remove the file, if it is still the same, and release the lock. A forked child only closes it."""
        if os.getpid() == self._owner and self.kept:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        fork.discard(self._descriptor)
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _open_locked(self) -> int:
        while True:
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The owner before may have removed the file between our open and our lock.
                if os.fstat(descriptor).st_ino == os.stat(self._path).st_ino:
                    return descriptor
            except FileNotFoundError:
                pass  # removed: try again with a new file
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
