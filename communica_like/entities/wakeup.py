"""Results -> the tasks that wait for them, without another turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..aio.eager import resume
from ..session import Event

__all__ = ["wake_all"]


def wake_all(results: Sequence[Event], at_once: bool) -> None:
    """Set the results of the futures in these RESULT events, in order.

    A task that waits for one goes on at once: see ``resume``. Inside of a task no other task's step can be
    run: there it is ``set_result`` alone.

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
            if at_once:
                resume(future, body)
            else:
                future.set_result(body)
    except BaseException:
        for _, future, _, _, body in results:
            if not future.done():
                future.set_result(body)
        raise
