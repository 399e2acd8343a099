"""A server's address at a broker, declared again whenever the connection is lost."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any, Final

from ...abc import Link, LinkReceiver, Listener
from .calls import best_effort, ignore_message
from .connection import Connection
from .key import BrokerKey
from .link import AmqpLink
from .link_messages import CONNECT, TO_CLIENT, TO_SERVER, Introduction
from .names import address_key, server_key
from .user import ConnectionUser

logger = logging.getLogger("communica_like")

_FIRST_DELAY: Final = 0.05  # seconds between attempts to serve again
_MAX_DELAY: Final = 1.0
_WITHDRAW_TIMEOUT: Final = 5.0  # seconds
_QUEUE_EXPIRES: Final = 10_000  # milliseconds that the queue of an address may be without a consumer
_ADDRESS: Final = "address"  # a consumer tag


class AmqpListener(ConnectionUser, Listener):
    """Serves an address, beside other servers, which the broker asks in turn.

    The last server removes the queue of the address. If a server was killed before it consumed from the queue
    it declared, the queue expires. A client that comes back sends its request to its server's own queue, an
    exclusive one.
    """

    def __init__(self, key: BrokerKey, name: str, url: str, accept: Callable[[Link], LinkReceiver]) -> None:
        super().__init__(key, f"cannot serve {url}")
        self.address = url
        self._queue = address_key(name)
        self._accept = accept
        self._ident = secrets.token_hex(16)
        self._closed = False
        self._keeping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await super().connect()
        self._keeping = self._loop.create_task(self._keep(), name=f"communica_like listener {self.address}")

    async def close(self) -> None:
        self._closed = True
        self.connection_lost("the listener is closed")
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._disconnect()

    def delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        connection, found = self._connection, Introduction.find(body, CONNECT)
        if connection is None or self._lost.done() or found is None:
            return
        ident, client = found
        if bytes([TO_SERVER]) + ident in connection.links:
            return
        connection.hold()
        link = AmqpLink(connection, TO_CLIENT, ident)
        link.accept(client, connection.identity._replace(server=self._ident))
        link.receiver = self._accept(link)

    async def _keep(self) -> None:
        """Declare the address again whenever the connection is lost."""
        delay = _FIRST_DELAY
        # A cancellation alone would not do: in aiormq it may end as another error.
        while not self._closed:
            logger.warning("%s is not served, for now: %s", self.address, await self.lost())
            await self._disconnect()
            await asyncio.sleep(delay)
            try:
                await super().connect()
            except Exception:
                delay = min(2 * delay, _MAX_DELAY)
            else:
                logger.info("%s is served again", self.address)
                delay = _FIRST_DELAY

    async def _declare(self, connection: Connection) -> None:
        channel = await self._new_channel(connection)
        await connection.declare_exchange(channel)
        own = server_key(self._ident)
        await channel.queue_declare(own, exclusive=True, auto_delete=True)
        await channel.queue_bind(own, connection.exchange, own)
        await channel.basic_consume(own, ignore_message, no_ack=True)
        durable, expiry = not connection.allows_shared_transient, {"x-expires": _QUEUE_EXPIRES}
        await channel.queue_declare(self._queue, durable=durable, auto_delete=True, arguments=expiry)
        await channel.queue_bind(self._queue, connection.exchange, self._queue)
        await channel.basic_consume(self._queue, ignore_message, no_ack=True, consumer_tag=_ADDRESS)

    async def _disconnect(self) -> None:
        """Withdraw the address, and drop the connection. Links stay as they are."""
        self.connection_lost("it is closed")
        connection = self._connection
        try:
            if connection is not None and self._channels and not connection.end_reason:
                await best_effort(self._withdraw(connection, self._channels[0]), _WITHDRAW_TIMEOUT)
        finally:
            await super()._disconnect()

    async def _withdraw(self, connection: Connection, channel: Any) -> None:
        own = server_key(self._ident)
        await channel.queue_unbind(own, connection.exchange, own)
        await channel.basic_cancel(_ADDRESS)
        # Auto-delete takes a moment, in which the queue would swallow requests. If others serve the address
        # the broker refuses, and closes the channel.
        await channel.queue_delete(self._queue, if_unused=True)
