"""How the programs answer: calls come in as lines on standard input, and results go out as lines."""

from __future__ import annotations

import inspect
import pickle
import sys
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["answer"]


def answer(target: Any, wait: Callable[[Awaitable[Any]], Any] | None = None) -> None:
    """Call methods of *target* until standard input ends.

    Args:
        wait: what a method returns that can be awaited is handed to this.
    """
    for line in sys.stdin:
        method, arguments, named = pickle.loads(bytes.fromhex(line))
        result, raised = None, ""
        try:
            result = getattr(target, method)(*arguments, **named)
            if wait is not None and inspect.isawaitable(result):
                result = wait(result)
        except Exception as exc:
            raised = f"{type(exc).__module__}.{type(exc).__name__}: {exc}"
        print(pickle.dumps((result, raised)).hex(), flush=True)
