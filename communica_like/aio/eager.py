"""A future's result -> the task that waits for it, without another turn of the event loop."""

from __future__ import annotations

import asyncio
from typing import TypeVar

__all__ = ["set_result_now"]

T = TypeVar("T")


def set_result_now(future: asyncio.Future[T], result: T) -> None:
    """Set the result of a future, and run the next step of the task that waits for it, here and now.

    ``set_result`` alone would make it wait for the loop's next turn, which costs as much as much else. To be
    called outside of tasks, and when there is nothing left to do, for a step may do anything. If others wait
    for the future, too, it is ``set_result`` alone.

    Raises:
        KeyboardInterrupt, SystemExit: the task's step did.
    """
    # asyncio's own name for them, with C and without, in all versions so far.
    waiting = getattr(future, "_callbacks", None)
    if not waiting or len(waiting) > 1:
        future.set_result(result)
        return
    go_on, context = waiting[0]
    future.remove_done_callback(go_on)
    future.set_result(result)
    context.run(go_on, future)
