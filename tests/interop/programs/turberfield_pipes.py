"""turberfield.utils.pipes, which uses a part of asyncio that Python 3.11 no longer has."""

import asyncio
import types
from importlib import import_module
from typing import Any

__all__ = ["import_pipes"]


def import_pipes() -> Any:
    """Return the module, on any Python."""
    if not hasattr(asyncio, "coroutine"):
        # Set for its import only: others find out by this name which Python they are on.
        setattr(asyncio, "coroutine", types.coroutine)  # noqa: B010
        try:
            return import_module("turberfield.utils.pipes")
        finally:
            delattr(asyncio, "coroutine")
    return import_module("turberfield.utils.pipes")
