"""Opening both ends of a named pipe: fifo(7)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import stat
from collections.abc import Callable
from functools import partial
from typing import Final

__all__ = ["PipePeek", "find_tee", "open_ends"]

_READ_SIZE: Final = 2**16
_SPLICE_F_NONBLOCK: Final = ctypes.c_uint(2)  # of fcntl.h


def find_tee() -> Callable[..., int] | None:
    """Return tee(2), which is Linux's and returns -1 if nothing is there. None on other systems.

    Its arguments are to be made beforehand: c_int, c_int, c_size_t and c_uint of ctypes. To have them
    converted at each call would take as long as the call.
    """
    try:
        # Not CDLL: it never waits, so other threads need not run meanwhile.
        tee = ctypes.PyDLL(None, use_errno=True).tee
    except (AttributeError, TypeError):
        return None

    tee.restype = ctypes.c_ssize_t
    return tee


class PipePeek:
    """Shows what is in a pipe. Not for several threads at once.

    Args:
        tee: see ``find_tee``.
        source: the descriptor of the pipe's read end.

    Attributes:
        descriptors: of the pipe through which it is seen, to be closed.
    """

    def __init__(self, tee: Callable[..., int], source: int) -> None:
        self.descriptors = self._seen_end, self._peek_end = os.pipe()
        self._copy = partial(tee, ctypes.c_int(source), ctypes.c_int(self._peek_end))
        self._begun = False

    def look(self, limit: ctypes.c_size_t) -> bytes:
        """Return what is in the pipe, and stays there: up to *limit* bytes, and none if it is empty."""
        if self._begun:
            self._forget()
        self._begun = True
        count = self._copy(limit, _SPLICE_F_NONBLOCK)
        if count < 0:
            self._begun = False
            if (error := ctypes.get_errno()) == errno.EAGAIN:
                return b""
            raise OSError(error, os.strerror(error))
        if count == 0:
            self._begun = False
            return b""
        data = os.read(self._seen_end, count)
        while len(data) < count:
            data += os.read(self._seen_end, count - len(data))
        self._begun = False
        return data

    def _forget(self) -> None:
        # The last time a signal's handler has raised something in the middle.
        seen = select.poll()
        seen.register(self._seen_end, select.POLLIN)
        while seen.poll(0):
            os.read(self._seen_end, _READ_SIZE)


_TRIES: Final = 100


def open_ends(path: str, history: bool, mode: int, create: bool = True) -> tuple[int, int]:
    """Return both ends of a pipe, which is created if there is none.

    Args:
        path, history, mode, create: see PipeQueue.

    Raises:
        FileExistsError: something has the path that is no pipe; or anything, and *history* is False.
        OSError: as mkfifo(3) and open(2).
    """
    for _ in range(_TRIES):
        created = False
        try:
            if create or not history:
                os.mkfifo(path, mode)
                created = True
        except FileExistsError:
            if not history:
                raise FileExistsError(f"{path} exists; without history the pipe is created here") from None
        except OSError as exc:
            raise type(exc)(exc.errno, exc.strerror, path) from None  # which mkfifo does not name
        try:
            with contextlib.ExitStack() as opened:
                return _open_both(path, opened)
        except OSError as exc:
            # It may have been removed meanwhile, and another one may be there, which nobody has open yet.
            if exc.errno not in (errno.ENOENT, errno.ENXIO) or not (create or created):
                if created:
                    os.unlink(path)
                raise
    raise FileNotFoundError(f"{path} is a link to nothing, or is removed all the time")


def _open_both(path: str, opened: contextlib.ExitStack) -> tuple[int, int]:
    ends: list[int] = []
    if not stat.S_ISFIFO(os.stat(path).st_mode):
        raise FileExistsError(f"{path} is no named pipe")
    for direction in (os.O_RDONLY, os.O_WRONLY):  # in this order neither waits, nor finds nobody there
        ends.append(os.open(path, direction | os.O_NONBLOCK | os.O_NOCTTY))
        opened.callback(os.close, ends[-1])
    found = [os.fstat(end) for end in ends]
    if not stat.S_ISFIFO(found[0].st_mode) or not os.path.samestat(*found):
        raise FileNotFoundError(errno.ENOENT, "it was replaced", path)
    opened.pop_all()
    return ends[0], ends[1]
