"""The descriptors of a PipeQueue: both ends of a named pipe, fifo(7), and a view of its content, tee(2)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import stat
from collections.abc import Callable
from functools import partial
from typing import Final, Self

_READ_SIZE: Final = 2**16
_SPLICE_F_NONBLOCK: Final = ctypes.c_uint(2)  # of fcntl.h
_OPEN_ATTEMPTS: Final = 100


class PipePeek:
    """Shows what is in a pipe without removing it: tee(2) copies it to a second pipe.

    One thread at a time may use it.

    Args:
        tee: the system call.
        source: the descriptor of the pipe's read end.

    Attributes:
        descriptors: of the second pipe; the caller closes them.
    """

    def __init__(self, tee: Callable[..., int], source: int) -> None:
        self.descriptors = self._seen_end, self._peek_end = os.pipe()
        # ctypes' objects are made once: to convert the arguments of each call takes as long as the call.
        self._copy = partial(tee, ctypes.c_int(source), ctypes.c_int(self._peek_end))
        self._begun = False

    @classmethod
    def of(cls, source: int) -> Self | None:
        """Return a view of the pipe whose read end is *source*; None on systems other than Linux."""
        try:
            # Unlike CDLL, PyDLL keeps the GIL: the call never waits.
            tee = ctypes.PyDLL(None, use_errno=True).tee
        except (AttributeError, TypeError):
            return None
        tee.restype = ctypes.c_ssize_t
        return cls(tee, source)

    def look(self, limit: ctypes.c_size_t) -> bytes:
        """Return up to *limit* bytes from the start of the pipe, which stay there; b"" if it is empty."""
        if self._begun:
            self._drain()
        self._begun = True
        count = self._copy(limit, _SPLICE_F_NONBLOCK)
        data = b""
        while len(data) < count:
            data += os.read(self._seen_end, count - len(data))
        self._begun = False
        if count < 0 and (error := ctypes.get_errno()) != errno.EAGAIN:
            raise OSError(error, os.strerror(error))
        return data

    def _drain(self) -> None:
        # A signal handler raised an exception in the middle of the last call.
        seen = select.poll()
        seen.register(self._seen_end, select.POLLIN)
        while seen.poll(0):
            os.read(self._seen_end, _READ_SIZE)


def open_ends(path: str, history: bool, mode: int, create: bool = True) -> tuple[int, int]:
    """Open both ends of a pipe, non-blocking, and return their descriptors: to read, to write.

    Args:
        path, history, mode, create: see PipeQueue.

    Raises:
        FileExistsError: the path is not a pipe; or it exists, and *history* is False.
        OSError: see mkfifo(3) and open(2).
    """
    for _ in range(_OPEN_ATTEMPTS):
        created = False
        try:
            if create or not history:
                os.mkfifo(path, mode)
                created = True
        except FileExistsError:
            if not history:
                raise FileExistsError(f"{path} exists; without history the pipe is created here") from None
        except OSError as exc:
            raise type(exc)(exc.errno, exc.strerror, path) from None  # mkfifo does not name the path
        try:
            return _open_both(path)
        except OSError as exc:
            # It may have been removed since, or replaced by one that no process has open yet.
            if exc.errno not in (errno.ENOENT, errno.ENXIO) or not (create or created):
                if created:
                    os.unlink(path)
                raise
    raise FileNotFoundError(f"{path} is a dangling link, or is removed all the time")


def _open_both(path: str) -> tuple[int, int]:
    if not stat.S_ISFIFO(os.stat(path).st_mode):
        raise FileExistsError(f"{path} is not a named pipe")
    flags = os.O_NONBLOCK | os.O_NOCTTY
    with contextlib.ExitStack() as opened:
        # In this order neither open waits or fails.
        opened.callback(os.close, read_end := os.open(path, os.O_RDONLY | flags))
        opened.callback(os.close, write_end := os.open(path, os.O_WRONLY | flags))
        found = os.fstat(read_end)
        if not stat.S_ISFIFO(found.st_mode) or not os.path.samestat(found, os.fstat(write_end)):
            raise FileNotFoundError(errno.ENOENT, "it was replaced", path)
        opened.pop_all()
    return read_end, write_end
