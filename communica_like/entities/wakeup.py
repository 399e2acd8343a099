"""Results -> the tasks that wait for them, without another turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..session import Event

__all__ = ["wake_all"]


def wake_all(results: Sequence[Event], at_once: bool) -> None:
    """Set the results of the futures in these RESULT events, in order.

    A task that waits for one goes on at once: its next step is run here, where ``set_result`` alone would
    make it wait for the loop's next turn, which costs as much as all else that an answer costs. To be called
    when there is nothing left to do, for a step may do anything. Inside of a task no other task's step can
    be run: there, as with futures that others wait for too, it is ``set_result`` alone.

    Args:
        at_once: False for ``set_result`` alone.

    Raises:
        KeyboardInterrupt, SystemExit: a task's step did. The other results are set all the same.
    """
    at_once = at_once and asyncio.current_task() is None
    try:
        for _, future, _, _, body in results:
            if future.done():
                continue  # cancelled
            # asyncio's own name for them, with C and without, in all versions so far.
            waiting = getattr(future, "_callbacks", None) if at_once else None
            if not waiting or len(waiting) > 1:
                future.set_result(body)
                continue
            resume, context = waiting[0]
            future.remove_done_callback(resume)
            future.set_result(body)
            context.run(resume, future)
    except BaseException:
        for _, future, _, _, body in results:
            if not future.done():
                future.set_result(body)
        raise
