"""Tasks for ``async def`` handlers, paid for only by those that suspend.

A handler is run until its first suspension at once, as the current task of a host that is parked.
Most never suspend: then the same host serves the next one. One that does suspend is taken over by its
host, which is from then on its task, like any that ``asyncio.create_task`` makes: ``current_task()``,
``asyncio.timeout()``, task groups and cancellation work in it from its first line.
"""

from __future__ import annotations

import asyncio
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
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_step: Callable[[TaskHost, float], None]) -> None:
        self._loop = loop
        self._gate: asyncio.Future[None] = loop.create_future()
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._context: Context | None = None
        self._awaited: Any = None
        self._on_done: OnDone | None = None
        self._on_step = on_step
        self._entered = False
        self.task = loop.create_task(self._run(), name="communica_like handler")

    @property
    def adopted(self) -> bool:
        """Whether it has a coroutine."""
        return self._coroutine is not None

    @property
    def free(self) -> bool:
        """Whether it can run a handler."""
        return not self.adopted and not self.task.done() and not self._gate.done()

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
        if not self._gate.done():
            self._gate.set_result(None)

    def cancel(self) -> None:
        """Cancel the coroutine, or the parked task."""
        if self._entered or not self.adopted:
            self.task.cancel()
        else:
            # A task that was never stepped would not tell its coroutine.
            self._loop.call_soon(self.task.cancel)

    async def _run(self) -> Any:
        self._entered = True
        cancelled = False
        if not self.adopted:
            try:
                await self._gate
            except CancelledError:
                if not self.adopted:
                    raise
                cancelled = True
        return await self._go_on(cancelled)

    @types.coroutine
    def _go_on(self, cancelled: bool) -> Generator[Any, Any, Any]:
        coroutine, context, awaited = self._coroutine, self._context, self._awaited
        assert coroutine is not None
        assert context is not None
        self._awaited = None
        error: BaseException | None = None
        value = None
        if cancelled and not (hasattr(awaited, "cancel") and awaited.cancel()):
            error = CancelledError()
        else:
            # As a task does that is cancelled: if the awaited thing takes the cancellation, it tells us.
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
            finally:
                self._on_step(self, began)
            value, error = yield from _wait(awaited)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        on_done, self._on_done = self._on_done, None
        if on_done is None:
            return
        if task.cancelled():
            if self._coroutine is not None:
                self._coroutine.close()  # already ended, unless the task was cancelled before its first step
            on_done(self, None, CancelledError())
            return
        error = task.exception()
        on_done(self, None if error is not None else task.result(), error)


def _wait(awaited: Any) -> Generator[Any, Any, tuple[Any, BaseException | None]]:
    try:
        return (yield awaited), None
    except GeneratorExit:
        raise
    except BaseException as exc:
        return None, exc
