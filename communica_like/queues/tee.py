"""tee(2): looking into a pipe without taking anything out."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from typing import Any

__all__ = ["find_tee"]


def find_tee() -> Callable[..., int] | None:
    """Return tee(2), which is Linux's; its errors are OSErrors. None on other systems."""
    try:
        # Not CDLL: it never waits, so other threads need not run meanwhile.
        tee = ctypes.PyDLL(None, use_errno=True).tee
    except (AttributeError, TypeError):
        return None

    def check(result: Any, *_: object) -> Any:
        if result <= 0:
            error = ctypes.get_errno() if result else errno.EAGAIN
            raise OSError(error, os.strerror(error))
        return result

    tee.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
    tee.restype = ctypes.c_ssize_t
    tee.errcheck = check
    return tee
