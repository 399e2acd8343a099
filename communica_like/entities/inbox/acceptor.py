"""A server's end of a shared inbox: opened, and opened again whenever the broker is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from ...abc import Connector
from ...abc.inbox import SharedInbox
from ...wire.limits import Limits
from ..backends import ClientInfo
from ..backoff import Backoff
from ..connection.driver import SessionDriver
from ..handling.handlers import Handler
from ..handling.responses import Missing
from ..handling.tasks import EagerTaskPool
from .dispatcher import InboxDispatcher

__all__ = ["InboxAcceptor"]

logger = logging.getLogger("communica_like")

_BACKOFF = Backoff(maximum=1.0)
_LAST_WORDS = 1.0  # seconds for cancelled handlers to end


class InboxAcceptor:
    """What a Acceptor is to sessions. No client comes in here: only what they ask for.

    Attributes:
        peers: none.
        closing: what calls raise, when the server is closing.
    """

    def __init__(
        self,
        connector: Connector,
        inbox: SharedInbox,
        limits: Limits,
        handlers: Mapping[bytes, Handler],
        missing: Missing,
    ) -> None:
        self._name = connector.dump_state()
        self._runner = InboxDispatcher(handlers, missing, limits)
        self._intake = inbox.intake(self._runner)
        self._keeping: asyncio.Task[None] | None = None
        self._over = False
        self.peers: dict[str, SessionDriver] = {}
        self.closing: Exception | None = None

    async def open(self) -> None:
        """Begin to take from the inbox.

        Raises:
            LinkError: the broker cannot be reached, or does not allow it.
        """
        await self._intake.open()
        self._keeping = asyncio.get_running_loop().create_task(
            self._keep(), name=f"communica_like inbox {self._name}"
        )
        logger.info("serving %s", self._name)

    @property
    def address(self) -> str | None:
        """The URL under which clients find it."""
        return self._name

    def pick(self) -> SessionDriver | None:
        """Return None: there are no clients."""
        return None

    async def wait_client(self) -> None:
        """Wait for ever: there are no clients."""
        await self.wait_over()

    async def wait_over(self) -> None:
        """Wait for ever: there will always be a next message."""
        await asyncio.get_running_loop().create_future()

    def infos(self) -> list[ClientInfo]:
        """Return none."""
        return []

    def refuse_clients(self, error: Exception) -> None:
        """From now on nothing new is begun: it is left to other servers."""
        self.closing = error
        self._runner.stop()

    async def drain(self, pool: EagerTaskPool) -> None:
        """Take nothing more, and wait until all handlers have ended."""
        await self._intake.stop()
        self._runner.give_back()
        await self._runner.wait_idle()

    async def close(self) -> None:
        """Cancel the handlers that still run, and close the connection. What they did is done again."""
        self._over = True
        await self._runner.cancel_all(_LAST_WORDS)
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._intake.close()

    async def _keep(self) -> None:
        """Open it again, whenever the connection is lost."""
        while not self._over:
            reason = await self._intake.lost()
            logger.warning("%s is not served, for now: %s", self._name, reason)
            await self._intake.close()
            await self._open_again(reason)

    async def _open_again(self, logged: str) -> None:
        delays = _BACKOFF.delays()
        # A client library below may swallow a cancellation: then it is the flag that ends this.
        while not self._over:
            await asyncio.sleep(next(delays))
            try:
                await self._intake.open()
            except Exception as exc:
                if str(exc) != logged:
                    logged = str(exc)
                    logger.warning("%s is not served, for now: %s", self._name, exc)
            else:
                logger.info("%s is served again", self._name)
                return
