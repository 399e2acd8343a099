"""Objects that begin anew in a process that is forked off: no thread and no lock of theirs is left there."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["when_forked"]

T = TypeVar("T")

_begin: weakref.WeakKeyDictionary[Any, Callable[[Any], object]] = weakref.WeakKeyDictionary()


def when_forked(obj: T, begin: Callable[[T], object]) -> None:
    """Call ``begin(obj)`` in each process that is forked off this one, as long as there is the object."""
    _begin[obj] = begin


def _forked() -> None:
    for obj, begin in list(_begin.items()):
        begin(obj)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
