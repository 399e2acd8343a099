"""Tasks for ``async def`` handlers, paid for only by those that suspend.

A handler is run until its first suspension at once, as the current task of a host that is parked.
Most never suspend: then the same host serves the next one. One that does suspend is taken over by its
host, which is from then on its task, like any that ``asyncio.create_task`` makes: ``current_task()``,
``asyncio.timeout()``, task groups and cancellation work in it from its first line.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Final

__all__ = ["TaskHost", "enter_task", "leave_task"]

# For makers of task-like things: docs.python.org, "Extending" asyncio.
enter_task = asyncio.tasks._enter_task
leave_task = asyncio.tasks._leave_task

_NOTHING: Final = object()

OnDone = Callable[["TaskHost", Any, BaseException | None], None]


class TaskHost(Coroutine[Any, Any, None]):
    """A parked task that can take a coroutine over. It is the coroutine that its task runs.

    Args:
        on_step: called after each further step with the host and the time at which the step began.
        on_gone: called when the task is cancelled while it is parked.

    Attributes:
        task: the task.
        gate: where it waits to be adopted; done when it was, or was cancelled.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_step: Callable[[TaskHost, float], None],
        on_gone: Callable[[TaskHost], None],
    ) -> None:
        self._loop = loop
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._context: Context = _EMPTY
        self._awaited: Any = _NOTHING
        self._on_done: OnDone | None = None
        self._on_step = on_step
        self._on_gone = on_gone
        self._blocking: bool | None = None
        self._stale_cancel = False
        self.gate: asyncio.Future[None] = loop.create_future()
        self.task: asyncio.Task[None] = loop.create_task(self)

    def adopt(
        self, coroutine: Coroutine[Any, Any, Any], context: Context, awaited: Any, on_done: OnDone
    ) -> None:
        """Let the task go on with a coroutine that was suspended in its first step.

        The step is run by ``context.run(coroutine.send, None)`` between ``enter_task`` and ``leave_task``
        for this host's task.

        Args:
            awaited: what the coroutine yielded.
            on_done: hears, once, how it ended.
        """
        # As a task does, so that others may await the same future before this one's task does.
        self._blocking = getattr(awaited, "_asyncio_future_blocking", None)
        if self._blocking:
            awaited._asyncio_future_blocking = False
        self._coroutine = coroutine
        self._context = context
        self._awaited = awaited
        self._on_done = on_done
        # This handler, or an earlier one, cancelled and uncancelled this task in its first step.
        cancelled = self.gate.cancelled() or getattr(self.task, "_must_cancel", False)
        self._stale_cancel = cancelled and not self.task.cancelling()
        if not self.gate.done():
            self.gate.set_result(None)

    def cancel(self) -> None:
        """Cancel the coroutine, or the parked task."""
        self.task.cancel()

    # -- the coroutine protocol, towards the task

    def send(self, value: Any, /) -> Any:
        coroutine = self._coroutine
        if coroutine is None:
            return next(self.gate.__await__())
        if self._awaited is not _NOTHING:
            return self._take_awaited()
        return self._step(coroutine.send, value)

    def throw(self, error: Any, value: Any = None, traceback: Any = None, /) -> Any:
        coroutine = self._coroutine
        if coroutine is None:
            self._on_gone(self)
            raise error
        if self._awaited is not _NOTHING:
            awaited = self._take_awaited()
            if self._stale_cancel and not self.task.cancelling():
                return awaited
            # As in any task that is cancelled: what it awaits is cancelled, and tells it so.
            if isinstance(error, CancelledError) and hasattr(awaited, "cancel") and awaited.cancel():
                return awaited
        return self._step(coroutine.throw, error)

    def close(self) -> None:
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, None]:
        raise TypeError("a TaskHost is run by its own task")

    def _take_awaited(self) -> Any:
        awaited, self._awaited = self._awaited, _NOTHING
        if self._blocking:
            awaited._asyncio_future_blocking = True
        return awaited

    def _step(self, resume: Callable[[Any], Any], argument: Any) -> Any:
        began = self._loop.time()
        try:
            return self._context.run(resume, argument)
        except StopIteration as stop:
            self._end(stop.value, None)
            raise
        except (CancelledError, KeyboardInterrupt) as exc:
            self._end(None, exc)
            raise
        except BaseException as exc:
            self._end(None, exc)
            # It has been reported; the task has nothing to add.
            raise StopIteration from None
        finally:
            self._on_step(self, began)

    def _end(self, result: Any, error: BaseException | None) -> None:
        if self._on_done is not None:
            on_done, self._on_done = self._on_done, None
            on_done(self, result, error)


_EMPTY: Final = Context()
