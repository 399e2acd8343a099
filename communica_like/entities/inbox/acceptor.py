"""A server's end of a shared inbox: opened, and opened again whenever the broker is lost."""

from __future__ import annotations

import asyncio
import logging

from ...abc.inbox import SharedInbox
from ...wire.greetings import Reason
from ...wire.limits import Limits
from ..backends import ServerBackend
from ..backoff import Backoff
from ..handling.runner import HandlerSet
from .dispatcher import InboxDispatcher

logger = logging.getLogger("communica_like")

_BACKOFF = Backoff(maximum=1.0)


class InboxAcceptor(ServerBackend):
    """Takes messages out of an inbox, and opens it again whenever the connection to the broker is lost.

    Args:
        address: the inbox's URL.
        limits: ``max_message`` bounds responses.
    """

    clients = None

    def __init__(self, address: str, inbox: SharedInbox, limits: Limits, handlers: HandlerSet) -> None:
        self._address = address
        self._dispatcher = InboxDispatcher(handlers, limits)
        self._pool = handlers.pool
        self._consumer = inbox.consumer(self._dispatcher)

    @property
    def address(self) -> str:
        return self._address

    async def open(self) -> None:
        await self._consumer.connect()
        logger.info("serving %s", self._address)

    async def run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        # A client library below may swallow a cancellation.
        while not task.cancelling():
            reason = await self._consumer.lost()
            logger.warning("%s is not served, for now: %s", self._address, reason)
            await self._consumer.close()
            for delay in _BACKOFF.delays():
                await asyncio.sleep(delay)
                if task.cancelling():
                    return
                try:
                    await self._consumer.connect()
                    break
                except Exception as exc:
                    if str(exc) != reason:
                        reason = str(exc)
                        logger.warning("%s is not served, for now: %s", self._address, reason)
            logger.info("%s is served again", self._address)

    def refuse_calls(self, error: Exception) -> None:
        """Begin nothing more: leave it to other servers."""
        self._dispatcher.closing = True

    async def drain(self) -> None:
        await self._consumer.stop()
        self._dispatcher.give_back()
        await self._pool.wait_idle()

    def end(self, reason: Reason) -> None:
        self._dispatcher.give_back()

    async def disconnect(self, timeout: float, linger: bool) -> None:
        await self._consumer.close()
