"""Messages out of a shared inbox -> handlers -> answers."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from ...abc.inbox import ANSWER, Delivery
from ...session.events import REQUEST, THROW
from ...wire.failure import Failure
from ...wire.limits import KIB, Limits
from ..handling.context import Context, inherited_deadline
from ..handling.handlers import Handler
from ..handling.responses import Missing, Responder
from ..handling.tasks import warn_if_slow

__all__ = ["InboxDispatcher"]

logger = logging.getLogger("communica_like.handlers")

_TURN: Final = 0.005  # seconds after which answers go out before the next handler begins
_SUSPECT: Final = 2  # so often a message came back that it may be what ends servers
_NOBODY: Final = 1  # in place of a request's number, of which there are none here


class InboxDispatcher:
    """Runs the handlers of one server for what it takes out of an inbox.

    Messages that came back repeatedly are handled one at a time, in random order. One of them may be what
    kills servers: then the others are not under way with it each time, until they are put aside with it.

    Args:
        handlers: by encoded route; Simple entities have one, without a name.
        missing: returns the failure for a route that has no handler.
        limits: ``max_message`` bounds answers.
    """

    def __init__(self, handlers: Mapping[bytes, Handler], missing: Missing, limits: Limits) -> None:
        self._handlers = handlers
        self._outcome = _Outcome(limits)
        self._responder = Responder(self._outcome, missing)
        self._loop = asyncio.get_running_loop()
        self._base = contextvars.copy_context()
        self._base.run(inherited_deadline.set, None)
        self._ready: deque[Delivery] = deque()
        self._suspects: list[Delivery] = []
        self._suspect: Delivery | None = None
        self._running: dict[Delivery, asyncio.Task[None]] = {}
        self._unwanted: set[Delivery] = set()
        self._scheduled = False
        self._stopped = False
        self._idle: asyncio.Future[None] | None = None

    # -- for the intake

    def take(self, job: Delivery) -> None:
        """Handle it, soon."""
        if (job.deliveries or 0) >= _SUSPECT:
            self._suspects.append(job)
        elif self._scheduled or self._stopped:
            self._ready.append(job)
        else:
            # The first one at once; those that came with it after that, in the loop's next turn.
            self._schedule()
            self._begin(job)
            return
        self._schedule()

    def cancel(self, job: Delivery) -> None:
        """Nobody waits for its answer any more."""
        task = self._running.get(job)
        if task is not None:
            self._unwanted.add(job)
            task.cancel()
            return
        for waiting in (self._ready, self._suspects):
            if job in waiting:
                waiting.remove(job)
                job.settle()

    def largest_answer(self, size: int) -> None:
        """From now on a larger one is a failure, and the requester is told."""
        limits = self._outcome.peer_limits
        self._outcome.peer_limits = replace(limits, max_message=max(1 * KIB, min(size, limits.max_message)))

    # -- for the server

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True

    def give_back(self) -> None:
        """Leave what has not begun to other servers. As long as more is taken, it would come here again."""
        for job in (*self._ready, *self._suspects):
            job.put_back()
        self._ready.clear()
        self._suspects.clear()

    async def wait_idle(self) -> None:
        """Wait until no handler runs."""
        while self._running:
            if self._idle is None:
                self._idle = self._loop.create_future()
            await asyncio.shield(self._idle)

    async def cancel_all(self, timeout: float) -> None:
        """Cancel what runs, and give it *timeout* seconds to end. It goes back."""
        self._stopped = True
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=timeout)
            for task in left:
                logger.error("%s does not end though it was cancelled", task.get_name())
            await asyncio.sleep(0)  # for their callbacks

    # -- one message

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Begin what is ready; after a while, let others have a turn."""
        self._scheduled = False
        if self._stopped:
            return
        began = time.monotonic()
        while self._ready:
            self._begin(self._ready.popleft())
            if time.monotonic() - began > _TURN:
                self._schedule()
                return
        if self._suspects and self._suspect is None:
            # One in each turn: that the one before is done with is written before the next may be the end.
            self._suspect = self._suspects.pop(random.randrange(len(self._suspects)))
            self._begin(self._suspect)

    def _begin(self, job: Delivery) -> None:
        message = job.message
        kind = REQUEST if message.wants_answer else THROW
        handler = self._handlers.get(message.route)
        deadline = None
        if message.expires is not None:
            left = message.expires - time.time()
            if left <= 0:
                self._settle(job)  # it waited for longer than its sender did
                return
            deadline = self._loop.time() + left
        if handler is None:
            self._responder.no_handler(kind, _NOBODY, message.route)
            self._settle(job)
            return
        try:
            data = handler.load(message.body)
        except Exception as exc:
            self._responder.load_failed(kind, _NOBODY, handler, exc)
            self._settle(job)
            return
        context = self._base.copy()
        context.run(inherited_deadline.set, deadline)
        arguments = [data]
        if handler.wants_context:
            arguments.append(self._describe(job, deadline))
        began = time.monotonic()
        try:
            result = context.run(handler.call, *arguments)
        except BaseException as exc:
            self._responder.handler_failed(kind, _NOBODY, handler, exc)
            self._settle(job)
            if isinstance(exc, KeyboardInterrupt):
                raise
            return
        finally:
            warn_if_slow(handler, time.monotonic() - began)
        if handler.is_async or hasattr(result, "__await__"):
            working = self._await(job, handler, result, deadline)
            task = self._loop.create_task(working, name=f"handler {handler.name}", context=context)
            self._running[job] = task
            task.add_done_callback(partial(self._ended, job, result))
            return
        if message.wants_answer:
            self._responder.give(_NOBODY, handler, result)
        self._settle(job)

    async def _await(
        self, job: Delivery, handler: Handler, result: Awaitable[Any], deadline: float | None
    ) -> None:
        kind = REQUEST if job.message.wants_answer else THROW
        alarm = None
        if deadline is not None:
            alarm = self._loop.call_at(deadline, self.cancel, job)
        try:
            answer = await result
        except asyncio.CancelledError as exc:
            if self._stopped or job in self._unwanted:
                raise
            self._responder.handler_failed(kind, _NOBODY, handler, exc)
        except BaseException as exc:
            self._responder.handler_failed(kind, _NOBODY, handler, exc)
            if isinstance(exc, KeyboardInterrupt):
                self._settle(job)
                raise
        else:
            if kind == REQUEST:
                self._responder.give(_NOBODY, handler, answer)
        finally:
            if alarm is not None:
                alarm.cancel()
        self._settle(job)

    def _ended(self, job: Delivery, result: Awaitable[Any], task: asyncio.Task[None]) -> None:
        """The handler has ended, or was cancelled before it began."""
        del self._running[job]
        if task.cancelled():
            if isinstance(result, Coroutine):
                result.close()
            wanted = job not in self._unwanted
            if wanted:
                logger.warning("%s was cut short: the server is closed", task.get_name())
            self._settle(job, back=wanted)
        self._unwanted.discard(job)
        if not self._running and self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    def _settle(self, job: Delivery, *, back: bool = False) -> None:
        kind, body = self._outcome.take()
        if back:
            job.put_back()
        else:
            job.settle(kind, body)
        if job is self._suspect:
            self._suspect = None
            if self._suspects:
                self._schedule()

    def _describe(self, job: Delivery, deadline: float | None) -> Context:
        message = job.message
        return Context(
            message.route.decode(),
            message.client_id,
            job.peer,
            deadline,
            self._loop.time,
            key=message.key,
            redelivered=job.redelivered,
            deliveries=job.deliveries,
        )


class _Outcome:
    """What Responder gives its answers to, until the job takes them."""

    def __init__(self, limits: Limits) -> None:
        self.peer_limits = limits
        self._kind = ANSWER
        self._body: bytes | None = None

    def answer(self, ident: int, body: bytes) -> None:
        """The handler returned."""
        self._kind, self._body = ANSWER, body

    def fail(self, ident: int, failure: Failure) -> None:
        """There is no result."""
        self._kind, self._body = failure.kind, failure.encode()

    def take(self) -> tuple[int, bytes | None]:
        """Return kind and body; without an answer the body is None."""
        outcome = self._kind, self._body
        self._kind, self._body = ANSWER, None
        return outcome
