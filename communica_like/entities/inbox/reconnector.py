"""A client's connection to the broker of a shared inbox: made, kept, and made again."""

from __future__ import annotations

import asyncio
import logging

from ...abc import Connector
from ...abc.inbox import SharedInbox
from ...exceptions import LinkError
from ...wire.greetings import Reason
from ...wire.limits import Limits
from ..backends import ClientBackend
from ..backoff import Backoff
from .calls import InboxCalls

logger = logging.getLogger("communica_like")


class InboxReconnector(ClientBackend):
    """Connects a client to a broker, and connects it again whenever the connection is lost.

    Args: see ClientBackend and InboxCalls.
    """

    channel: InboxCalls

    def __init__(
        self, connector: Connector, inbox: SharedInbox, client_id: str, limits: Limits, backoff: Backoff,
        handshake_timeout: float
    ) -> None:
        calls = InboxCalls(client_id, limits, inbox)
        calls.obstacle = self.obstacle
        super().__init__(connector, client_id, calls, backoff, handshake_timeout)
        self.gone_since = self._time()

    def refuse_calls(self, error: Exception) -> None:
        self.channel.refuse(error)

    def end(self, reason: Reason) -> None:
        self.channel.end(reason)

    async def disconnect(self, timeout: float, linger: bool) -> None:
        await self.channel.publisher.close()

    async def _keep_connected(self) -> None:
        publisher = self.channel.publisher
        delays = self._backoff.delays()
        task = asyncio.current_task()
        assert task is not None
        # A client library below may swallow a cancellation.
        while not task.cancelling():
            try:
                await self._connect()
            except LinkError as exc:
                self._failed(exc)
            else:
                delays = self._backoff.delays()
                self._succeeded()
                logger.info("client %r is connected to %s", self.client_id, publisher.peer.address)
                reason = await publisher.lost()
                self._connected.clear()
                self.channel.connection_lost()
                self.gone_since = self._time()
                logger.warning("client %r has no connection, for now: %s", self.client_id, reason)
                await publisher.close()
            await asyncio.sleep(next(delays))

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._handshake_timeout):
                await self.channel.publisher.connect()
        except TimeoutError as exc:
            raise LinkError(f"no answer from the broker within {self._handshake_timeout} s") from exc
