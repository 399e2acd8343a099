"""A client's connection to the broker of a shared inbox: made, kept, and made again."""

from __future__ import annotations

import asyncio
import logging

from ...exceptions import CommunicaError, LinkError
from ..backoff import Backoff
from .calls import InboxCalls

__all__ = ["InboxReconnector"]

logger = logging.getLogger("communica_like")


class InboxReconnector:
    """What a Reconnector is to a session.

    Attributes:
        last_error: why the last attempt failed, or None.
        gone_since: since when there is no connection, by the loop's clock; None: there is one.
    """

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._time = asyncio.get_running_loop().time
        self._connected = asyncio.Event()
        self._logged = ""
        self.last_error: CommunicaError | None = None
        self.gone_since: float | None = self._time()

    async def run(self, peer: InboxCalls) -> None:
        """Connect, and connect again whenever the connection is lost, until it is cancelled.

        Raises:
            Exception: a mistake that no other attempt cures. Calls raise it, too.
        """
        try:
            await self._keep_connected(peer)
        except Exception as exc:
            logger.error("client %r stops: %s", peer.client_id, exc or repr(exc))
            peer.refuse_calls(exc)
            raise
        finally:
            await peer.sender.close()

    async def _keep_connected(self, peer: InboxCalls) -> None:
        delays = self._backoff.delays()
        task = asyncio.current_task()
        assert task is not None
        # A client library below may swallow a cancellation.
        while not task.cancelling():
            try:
                await peer.sender.connect()
            except LinkError as exc:
                self._failed(exc)
            else:
                delays = self._backoff.delays()
                self._logged, self.last_error, self.gone_since = "", None, None
                self._connected.set()
                logger.info("client %r is connected to %s", peer.client_id, peer.sender.peer.address)
                reason = await peer.sender.lost()
                self._connected.clear()
                self.gone_since = self._time()
                logger.warning("client %r has no connection, for now: %s", peer.client_id, reason)
                await peer.sender.close()
            await asyncio.sleep(next(delays))

    async def wait_connected(self) -> None:
        """Wait for a connection."""
        await self._connected.wait()

    def _failed(self, error: LinkError) -> None:
        self.last_error = error
        if str(error) != self._logged:
            self._logged = str(error)
            logger.warning("cannot connect: %s", error)
