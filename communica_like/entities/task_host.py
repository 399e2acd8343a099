"""Tasks for ``async def`` handlers, paid for only by those that suspend.

A handler is run until its first suspension at once, as the current task of a host that is parked.
Most never suspend: then the same host serves the next one. One that does suspend is taken over by its
host, which is from then on its task, like any that ``asyncio.create_task`` makes: ``current_task()``,
``asyncio.timeout()``, task groups and cancellation work in it from its first line.
"""

from __future__ import annotations

import asyncio
import sys
import types
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any

__all__ = ["TaskHost"]

# Documented for makers of task-like things: docs.python.org, "Extending" asyncio.
_enter_task = asyncio.tasks._enter_task
_leave_task = asyncio.tasks._leave_task

OnDone = Callable[["TaskHost", Any, BaseException | None], None]


class TaskHost:
    """A parked task that can take a coroutine over.

    Args:
        on_step: called after each further step with the host and the time at which the step began.

    Attributes:
        task: the task.
        gate: where it waits to be adopted; done when it was, or was cancelled.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_step: Callable[[TaskHost, float], None]) -> None:
        self._loop = loop
        self.gate: asyncio.Future[None] = loop.create_future()
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._context: Context | None = None
        self._awaited: Any = None
        self._on_done: OnDone | None = None
        self._on_step = on_step
        self._exit: SystemExit | None = None
        run = self._run()
        # Begun by hand: so even a cancellation before the task's first step reaches the coroutine.
        run.send(None)
        self.task = loop.create_task(run, name="communica_like handler")

    @property
    def adopted(self) -> bool:
        """Whether it has a coroutine."""
        return self._coroutine is not None

    @property
    def spoiled(self) -> bool:
        """Whether a handler cancelled this task before it began, and ended all the same."""
        return bool(getattr(self.task, "_must_cancel", False))

    def first_step(self, coroutine: Coroutine[Any, Any, Any], context: Context) -> None:
        """Run *coroutine* until it suspends; then ``adopt`` must follow.

        Raises:
            StopIteration: it has ended, with this value.
            BaseException: it has ended with this exception.
        """
        _enter_task(self._loop, self.task)
        try:
            self._awaited = context.run(coroutine.send, None)
        finally:
            _leave_task(self._loop, self.task)
        self._coroutine = coroutine
        self._context = context

    def adopt(self, on_done: OnDone) -> None:
        """Let the task go on with the suspended coroutine; *on_done* hears how it ended."""
        self._on_done = on_done
        self.task.add_done_callback(self._finished)
        if not self.gate.done():
            self.gate.set_result(None)

    def cancel(self) -> None:
        """Cancel the coroutine, or the parked task."""
        self.task.cancel()

    def _is_parked(self) -> bool:
        return not self.adopted

    async def _run(self) -> Any:
        cancelled: CancelledError | None = None
        try:
            await _begin()
            if not self.adopted:
                await self.gate
        except CancelledError as exc:
            if self._is_parked():
                raise
            # Since 3.13, uncancel() takes back a cancel() of the same step.
            if sys.version_info < (3, 13) or self.task.cancelling():
                cancelled = exc
        return await self._go_on(cancelled)

    @types.coroutine
    def _go_on(self, cancelled: CancelledError | None) -> Generator[Any, Any, Any]:
        coroutine, context, awaited = self._coroutine, self._context, self._awaited
        assert coroutine is not None
        assert context is not None
        self._awaited = None
        error: BaseException | None = None
        value = None
        if cancelled and not (hasattr(awaited, "cancel") and awaited.cancel(*cancelled.args)):
            error = cancelled
        else:
            # As a task does that is cancelled: if the awaited thing takes the cancellation, it tells us.
            if getattr(awaited, "_asyncio_future_blocking", None) is not None:
                # Another task may have awaited the same future since the first step, and reset this.
                awaited._asyncio_future_blocking = True
            value, error = yield from _wait(awaited)
        while True:
            began = self._loop.time()
            try:
                if error is None:
                    awaited = context.run(coroutine.send, value)
                else:
                    awaited = context.run(coroutine.throw, error)
            except StopIteration as stop:
                return stop.value
            except SystemExit as exc:
                self._exit = exc  # a task would end the event loop with it
                return None
            finally:
                self._on_step(self, began)
            value, error = yield from _wait(awaited)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        on_done, self._on_done = self._on_done, None
        if on_done is None:
            return
        if task.cancelled():
            on_done(self, None, CancelledError())
            return
        error = self._exit or task.exception()
        on_done(self, None if error is not None else task.result(), error)


@types.coroutine
def _begin() -> Generator[None, None, None]:
    yield


def _wait(awaited: Any) -> Generator[Any, Any, tuple[Any, BaseException | None]]:
    try:
        return (yield awaited), None
    except GeneratorExit:
        raise
    except BaseException as exc:
        return None, exc
