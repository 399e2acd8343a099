"""Results -> the tasks that wait for them, without another turn of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

__all__ = ["wake_all"]


def wake_all(results: deque[tuple[asyncio.Future[Any], Any]]) -> None:
    """Set the results of these futures, in order, and empty the deque.

    A task that waits for one goes on at once: its next step is run here, where ``set_result`` alone would
    make it wait for the loop's next turn, which costs as much as all else that an answer costs. To be called
    when there is nothing left to do, for a step may do anything. Inside of a task no other task's step can
    be run: there, as with futures that others wait for too, it is ``set_result`` alone.

    Raises:
        KeyboardInterrupt, SystemExit: a task's step did. The other results are set all the same.
    """
    inside = asyncio.current_task() is not None
    try:
        while results:
            future, result = results.popleft()
            if future.done():
                continue  # cancelled
            # asyncio's own name for them, with C and without, in all versions so far.
            waiting = None if inside else getattr(future, "_callbacks", None)
            if not waiting or len(waiting) > 1:
                future.set_result(result)
                continue
            resume, context = waiting[0]
            future.remove_done_callback(resume)
            future.set_result(result)
            context.run(resume, future)
    finally:
        for future, result in results:
            if not future.done():
                future.set_result(result)
        results.clear()
