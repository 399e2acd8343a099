"""Opening both ends of a named pipe: fifo(7)."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Final

__all__ = ["open_ends"]

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
