"""tee(2): looking into a pipe without taking anything out."""

from __future__ import annotations

import ctypes
import errno
import os
import select
from collections.abc import Callable
from functools import partial
from typing import Final

__all__ = ["Peephole", "find_tee"]

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


class Peephole:
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
