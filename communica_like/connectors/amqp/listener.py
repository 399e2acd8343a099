"""A server's address at a broker, declared again whenever the connection is lost."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any, Final

from ...abc import Link, LinkReceiver, Listener
from .connection import BrokerKey, best_effort, ignore_message, translated_errors
from .link import AmqpLink
from .link_messages import TO_CLIENT, Introduction
from .names import address_key, server_key
from .protocol import ChannelUser
from .shared_connection import SharedConnection, acquire

logger = logging.getLogger("communica_like")

_FIRST_DELAY: Final = 0.05  # seconds between attempts to serve again
_MAX_DELAY: Final = 1.0
_DECLARE_TIMEOUT: Final = 5.0  # seconds
_QUEUE_EXPIRES: Final = 10_000  # milliseconds that the queue of an address may be without a consumer


class AmqpListener(Listener, ChannelUser):
    """Serves an address, beside other servers, which the broker asks in turn.

    The last server removes the queue of the address. If a server was killed before it consumed from the queue
    it declared, the queue expires. A client that comes back sends its request to its server's own routing
    key, which is bound to the inbox of the server's current connection.

    Args:
        key: which broker.
        name: the address.
        url: the connector's URL.
        accept: as for Connector.listen.
    """

    def __init__(self, key: BrokerKey, name: str, url: str, accept: Callable[[Link], LinkReceiver]) -> None:
        self.address = url
        self._key = key
        self._queue = address_key(name)
        self._accept = accept
        self._ident = secrets.token_hex(16)
        self._connection: SharedConnection | None = None
        self._channel: Any = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[str] = self._loop.create_future()
        self._keeping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Declare the address, and keep it declared.

        Raises:
            LinkError: the broker cannot be reached, or refuses.
            FeatureNotAvailable: aiormq is not installed.

        An error or a cancellation leaves nothing behind.
        """
        try:
            await self._declare()
        except BaseException:
            await self._withdraw()
            raise
        self._keeping = self._loop.create_task(self._keep(), name=f"communica_like listener {self.address}")

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.connection_lost("the listener is closed")
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._withdraw()

    # -- events

    def delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        if self._connection is not None:
            self._connection.handle_message(body, self._accept_link)

    def _accept_link(self, ident: bytes, introduction: Introduction) -> None:
        if self._connection is None:
            return
        self._connection.hold()
        link = AmqpLink(self._connection, TO_CLIENT, ident)
        link.peer_introduced(introduction)
        link.accept(self._connection.identity._replace(server=self._ident))
        link.receiver = self._accept(link)

    def channel_closed(self, reason: str) -> None:
        self.connection_lost(f"the broker closed the listener's channel: {reason}")

    def connection_lost(self, reason: str) -> None:
        """Clients cannot connect any more."""
        if not self._lost.done():
            self._lost.set_result(reason)

    # -- serving

    async def _keep(self) -> None:
        """Declare the address again whenever the connection is lost."""
        delay = _FIRST_DELAY
        # A cancellation alone would not do: in aiormq it may end as another error.
        while not self._closed:
            logger.warning("%s is not served, for now: %s", self.address, await self._lost)
            await self._withdraw()
            await asyncio.sleep(delay)
            try:
                await self._declare()
            except Exception as exc:
                self.connection_lost(str(exc))
                delay = min(2 * delay, _MAX_DELAY)
            else:
                logger.info("%s is served again", self.address)
                delay = _FIRST_DELAY

    async def _declare(self) -> None:
        """Connect, and consume from the queue of the address."""
        self._lost = self._loop.create_future()
        connection = self._connection = await acquire(self._key)
        amqp = connection.amqp
        with translated_errors(f"cannot serve {self.address}"):
            async with asyncio.timeout(_DECLARE_TIMEOUT):
                connection.servers[self._ident] = self._accept_link
                connection.on_lost.add(self.connection_lost)
                channel = self._channel = await amqp.new_channel(self)
                await amqp.declare_exchange(channel)
                await amqp.bind(channel, connection.inbox, server_key(self._ident))
                await channel.queue_declare(
                    self._queue,
                    durable=not amqp.allows_shared_transient,
                    auto_delete=True,
                    arguments={"x-expires": _QUEUE_EXPIRES},
                )
                await amqp.bind(channel, self._queue, self._queue)
                await channel.basic_consume(self._queue, ignore_message, no_ack=True)

    async def _withdraw(self) -> None:
        """Undo ``_declare``. Links stay as they are."""
        connection, self._connection = self._connection, None
        channel, self._channel = self._channel, None
        if connection is None:
            return
        try:
            connection.servers.pop(self._ident, None)
            connection.on_lost.discard(self.connection_lost)
            if channel is not None and not connection.ended:
                await best_effort(self._undeclare(connection, channel), _DECLARE_TIMEOUT)
        finally:
            await connection.drop()

    async def _undeclare(self, connection: SharedConnection, channel: Any) -> None:
        amqp = connection.amqp
        if not channel.is_closed:
            await amqp.unbind(channel, connection.inbox, server_key(self._ident))
            await channel.close()
        amqp.discard_channel(channel)
        # Auto-delete takes a moment, in which the queue would swallow requests. If others serve the address
        # the broker refuses, and closes the channel.
        last = await amqp.new_channel()
        await last.queue_delete(self._queue, if_unused=True)
        await last.close()
