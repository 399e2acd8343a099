"""Eager tasks for ``async def`` handlers, paid for only by those that suspend.

The nearest standard thing is ``asyncio.Task(eager_start=True)`` of Python 3.12, which makes a task for each
handler. Here one parked task is the current task of one handler after another, until one suspends: that one
keeps it. ``current_task()``, ``asyncio.timeout()``, task groups and cancellation work from its first line.
"""

from __future__ import annotations

import asyncio
import logging
import types
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Final

from .handlers import Handler

logger = logging.getLogger("communica_like.handlers")

SLOW = 0.1
"""Seconds that a handler may hold up the event loop before it is logged."""


def warn_if_slow(handler: Handler, seconds: float) -> None:
    """Log a handler that held up the event loop."""
    if seconds > SLOW:
        logger.warning(
            "handler %s held up the event loop for %.0f ms: make it async, or a threaded_handler",
            handler.name,
            seconds * 1000,
        )


class EagerTaskPool:
    """One parked task, and those that have a handler.

    Attributes:
        spare: the parked task, until it is taken; None: ``park`` makes one. It is of no use while it
            is being cancelled.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.spare: EagerTask | None = None
        self._running: dict[EagerTask, Handler] = {}
        self._ended = asyncio.Event()

    def park(self) -> EagerTask:
        """Return a new parked task."""
        self.spare = EagerTask(self._loop, self._on_step, self._on_gone)
        return self.spare

    def taken(self, host: EagerTask, handler: Handler) -> None:
        """Move the parked task to those that have a handler."""
        self.spare = None
        self._running[host] = handler

    def ended(self, host: EagerTask) -> None:
        """Drop a task whose handler has ended."""
        self._running.pop(host, None)
        if not self._running:
            self._ended.set()

    @property
    def idle(self) -> bool:
        """Whether no handler is suspended."""
        return not self._running

    async def wait_idle(self) -> None:
        """Wait until no handler is suspended."""
        while self._running:
            self._ended.clear()
            await self._ended.wait()

    async def close(self, timeout: float) -> None:
        """Cancel all handlers, and give them *timeout* seconds to end."""
        hosts = list(self._running)
        tasks = [host.task for host in hosts]
        for host in hosts:
            host.cancel()
        if self.spare is not None:
            self.spare.cancel()
            tasks.append(self.spare.task)
            self.spare = None
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
        for host in hosts:
            handler = self._running.get(host)
            if handler is not None and not host.task.done():
                logger.error("handler %s does not end though it was cancelled", handler.name)
                del self._running[host]

    def _on_gone(self, host: EagerTask) -> None:
        if self.spare is host:
            self.spare = None

    def _on_step(self, host: EagerTask, began: float) -> None:
        handler = self._running.get(host)
        if handler is not None:
            warn_if_slow(handler, self._loop.time() - began)


# For makers of task-like things: docs.python.org, "Extending" asyncio.
enter_task = asyncio.tasks._enter_task
leave_task = asyncio.tasks._leave_task

_NOTHING: Final = object()

FINISHED: Final = object()
"""What ``begin`` returns if the coroutine did not suspend."""

OnDone = Callable[["EagerTask", Any, BaseException | None], None]


class EagerTask(Coroutine[Any, Any, None]):
    """A parked task that can take a coroutine over. It is the coroutine that its task runs.

    Args:
        on_step: called after each further step with this task and the time at which the step began.
        on_gone: called when the task is cancelled while it is parked.

    Attributes:
        begin: runs a coroutine until it suspends, ends or raises. Returns what it awaits, or FINISHED; then
            ``result`` is what it returned. To be called between ``enter_task`` and ``leave_task`` for this
            host's task. After an exception, ``renew`` must be called before the next coroutine.
        result: see ``begin``; the caller takes it away.
        task: the task.
        gate: what the parked task waits for: a coroutine to adopt, or its cancellation.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_step: Callable[[EagerTask, float], None],
        on_gone: Callable[[EagerTask], None]
    ) -> None:
        self._loop = loop
        self._adopted = False
        self._context: Context = _EMPTY
        self._awaited: Any = _NOTHING
        self._on_done: OnDone | None = None
        self._on_step = on_step
        self._on_gone = on_gone
        self._blocking: bool | None = None
        self._stale_cancel = False
        self.result: Any = None
        self.renew()
        self.gate: asyncio.Future[None] = loop.create_future()
        self.task: asyncio.Task[None] = loop.create_task(self)

    def renew(self) -> None:
        """Get ready for another coroutine after one that raised."""
        self._runner = _run_one_after_another(self)
        self._runner.send(None)
        self.begin = self._runner.send

    def adopt(self, context: Context, awaited: Any, on_done: OnDone) -> None:
        """Let the task go on with a coroutine that suspended in ``begin``.

        Args:
            context: what ``begin`` ran in.
            awaited: what it returned.
            on_done: called once, with the result or the exception of the coroutine.
        """
        # As a task does, so that others may await the same future before this one's task does.
        self._blocking = getattr(awaited, "_asyncio_future_blocking", None)
        if self._blocking:
            awaited._asyncio_future_blocking = False
        self._adopted = True
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
        if not self._adopted:
            return next(self.gate.__await__())
        if self._awaited is not _NOTHING:
            return self._take_awaited()
        return self._step(self._runner.send, value)

    def throw(self, error: Any, value: Any = None, traceback: Any = None, /) -> Any:
        if not self._adopted:
            self._on_gone(self)
            raise error
        if self._awaited is not _NOTHING:
            awaited = self._take_awaited()
            if self._stale_cancel and not self.task.cancelling():
                return awaited
            # As in any task that is cancelled: what it awaits is cancelled, and tells it so.
            if isinstance(error, CancelledError) and hasattr(awaited, "cancel") and awaited.cancel():
                return awaited
        return self._step(self._runner.throw, error)

    def close(self) -> None:
        self._runner.close()

    def __await__(self) -> Generator[Any, Any, None]:
        raise TypeError("an EagerTask is run by its own task")

    def _take_awaited(self) -> Any:
        awaited, self._awaited = self._awaited, _NOTHING
        if self._blocking:
            awaited._asyncio_future_blocking = True
        return awaited

    def _step(self, resume: Callable[[Any], Any], argument: Any) -> Any:
        began = self._loop.time()
        try:
            try:
                awaited = self._context.run(resume, argument)
            finally:
                self._on_step(self, began)
        except (CancelledError, KeyboardInterrupt) as exc:
            self._end(None, exc)
            raise
        except BaseException as exc:
            self._end(None, exc)
            # on_done has reported it; the task has nothing to add.
            raise StopIteration from None
        if awaited is FINISHED:
            result, self.result = self.result, None
            self._end(result, None)
            raise StopIteration
        return awaited

    def _end(self, result: Any, error: BaseException | None) -> None:
        if self._on_done is not None:
            on_done, self._on_done = self._on_done, None
            on_done(self, result, error)


@types.coroutine
def _run_one_after_another(host: EagerTask) -> Generator[Any, Any, None]:
    # To drive a coroutine from here costs a fraction of what its StopIteration would.
    coroutine: Awaitable[Any] = yield
    while True:
        host.result = yield from coroutine  # type: ignore[misc]
        coroutine = yield FINISHED


_EMPTY: Final = Context()
