"""What is said at the exit of the interpreter, before the event loop of blocking programs is gone."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable
from typing import Final

__all__ = ["say_at_exit", "say_no_more"]

_farewells: Final[dict[Callable[[], object], None]] = {}


def say_at_exit(farewell: Callable[[], object]) -> None:
    """Call it when the interpreter exits: the last that was added first.

    That is before what others have left for the end until now, such as the killing of child processes.
    """
    _farewells[farewell] = None
    atexit.unregister(_say_all)
    atexit.register(_say_all)
    # Children of multiprocessing may end without what atexit has; they have a register of their own.
    processes, util = (sys.modules.get(f"multiprocessing.{name}") for name in ("process", "util"))
    if processes is not None and util is not None and processes.parent_process() is not None:
        util.Finalize(None, _say_all, exitpriority=100)


def say_no_more(farewell: Callable[[], object]) -> None:
    """There is no need for it any more."""
    _farewells.pop(farewell, None)


def _say_all() -> None:
    for farewell in reversed(list(_farewells)):
        farewell()
