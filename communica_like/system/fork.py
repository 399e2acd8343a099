"""What a forked child must drop of its parent: descriptors, locks and threads that are the parent's alone.

With a copy of a descriptor the child would keep a connection open and an address taken after the parent was
killed. Objects that hold locks or threads start anew in the child, whose only thread is the one that forked.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

generation = 0
"""How many forks lead from the first process to this one. Cheaper to compare than the pid."""

_descriptors: set[int] = set()
_resets: weakref.WeakKeyDictionary[Any, Callable[[Any], object]] = weakref.WeakKeyDictionary()


def add(descriptor: int) -> None:
    """Disconnect *descriptor* in forked children, until ``discard``."""
    _descriptors.add(descriptor)


def discard(descriptor: int) -> None:
    """Undo ``add``. Call it before the descriptor is closed."""
    _descriptors.discard(descriptor)


def disconnect(descriptors: Iterable[int]) -> None:
    """Point *descriptors* at the null device.

    Closing them would free numbers that objects of the child still hold, and would close later.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def reset_in_child(obj: T, reset: Callable[[T], object]) -> None:
    """Call ``reset(obj)`` in each forked child, as long as *obj* exists. A second call replaces the first.

    Objects are reset in the order in which they came here.
    """
    _resets[obj] = reset


def _after_in_child() -> None:
    global generation
    generation += 1
    if _descriptors:
        disconnect(_descriptors)
        _descriptors.clear()
    for obj, reset in list(_resets.items()):
        reset(obj)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
