"""A forked child must not keep its parent's links and locks alive.

Otherwise, when the parent is killed, the other side sees no end of the connection, and the address
stays taken, for as long as any child lives.

``generation`` is another number in a forked child than in its parent: to compare it is cheaper than the pid.
"""

from __future__ import annotations

import os

__all__ = ["add", "discard", "generation"]

generation = 0

_descriptors: set[int] = set()


def add(descriptor: int) -> None:
    """From now on a forked child lets go of this descriptor."""
    _descriptors.add(descriptor)


def discard(descriptor: int) -> None:
    """To be called before the descriptor is closed."""
    _descriptors.discard(descriptor)


def _let_go() -> None:
    global generation
    generation += 1
    if not _descriptors:
        return
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in _descriptors:
        # Not closed: the child's objects still hold the number, and would close another's file.
        os.dup2(null, descriptor, inheritable=False)
    os.close(null)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
