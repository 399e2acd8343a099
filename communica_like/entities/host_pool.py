"""The tasks of an entity's handlers."""

from __future__ import annotations

import asyncio
import logging

from .handlers import Handler
from .task_host import TaskHost

__all__ = ["SLOW", "HostPool", "warn_if_slow"]

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


class HostPool:
    """One parked host, and the hosts that have a handler.

    Attributes:
        spare: the parked host, the same one again until it is taken. One whose task is being cancelled is
            of no use.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.spare: TaskHost | None = None
        self._running: dict[TaskHost, Handler] = {}
        self._idle_waiter: asyncio.Future[None] | None = None

    def park(self) -> TaskHost:
        """Return a new parked host."""
        self.spare = TaskHost(self._loop, self._on_step, self._on_gone)
        return self.spare

    def taken(self, host: TaskHost, handler: Handler) -> None:
        """The parked host is running a handler now."""
        self.spare = None
        self._running[host] = handler

    def ended(self, host: TaskHost) -> None:
        """The handler has ended."""
        self._running.pop(host, None)
        if not self._running and self._idle_waiter is not None:
            self._idle_waiter.set_result(None)
            self._idle_waiter = None

    @property
    def idle(self) -> bool:
        """Whether no handler is suspended."""
        return not self._running

    async def wait_idle(self) -> None:
        """Wait until no handler is suspended."""
        while self._running:
            if self._idle_waiter is None:
                self._idle_waiter = self._loop.create_future()
            await asyncio.shield(self._idle_waiter)

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

    def _on_gone(self, host: TaskHost) -> None:
        if self.spare is host:
            self.spare = None

    def _on_step(self, host: TaskHost, began: float) -> None:
        handler = self._running.get(host)
        if handler is not None:
            warn_if_slow(handler, self._loop.time() - began)
