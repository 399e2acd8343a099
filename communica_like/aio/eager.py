"""set_result_now: resume the task that waits for a future, without another turn of the event loop."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")


def set_result_now(future: asyncio.Future[T], result: T) -> None:
    """Set the result of a future, and run the next step of the task that waits for it, here and now.

    ``set_result`` alone would resume it in the loop's next turn, which costs more time. Call this outside of
    tasks, and last, because the step may do anything. A future with several callbacks gets ``set_result``
    alone.

    Raises:
        KeyboardInterrupt, SystemExit: the task's step did.
    """
    # The name is private to asyncio, and the same in C and Python, in all versions so far.
    waiting = getattr(future, "_callbacks", None)
    if not waiting or len(waiting) > 1:
        future.set_result(result)
        return
    go_on, context = waiting[0]
    future.remove_done_callback(go_on)
    future.set_result(result)
    context.run(go_on, future)
