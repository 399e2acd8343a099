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

__all__ = ["AmqpListener"]

logger = logging.getLogger("communica_like")

_FIRST_DELAY: Final = 0.05  # seconds between attempts to serve again
_MAX_DELAY: Final = 1.0
_DECLARE_TIMEOUT: Final = 5.0  # seconds
_QUEUE_EXPIRES: Final = 10_000  # milliseconds that the queue of an address may be without a consumer


class AmqpListener(Listener, ChannelUser):
    """Serves an address, beside other servers: the broker gives a client's request to one of them.

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
        self._lost = asyncio.Event()
        self._reason = ""
        self._serving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeping = asyncio.get_running_loop().create_task(
            self._keep_serving(), name=f"communica_like listener {url}"
        )

    async def open(self) -> None:
        """Wait until clients can connect.

        Raises:
            LinkError: the broker cannot be reached, or refuses.
            FeatureNotAvailable: aiormq is not installed.

        After an error, or a cancellation, the listener is closed.
        """
        try:
            await asyncio.shield(self._serving)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.connection_lost("the listener is closed")
        self._keeping.cancel()
        await asyncio.wait([self._keeping])
        if self._serving.done() and not self._serving.cancelled():
            self._serving.exception()
        await self._withdraw()

    # -- events

    def delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        if self._connection is not None:
            self._connection.handle_connect(body, self)

    def connect_requested(self, ident: bytes, introduction: Introduction) -> None:
        if self._connection is None:
            return
        self._connection.hold()
        link = AmqpLink(self._connection, TO_CLIENT, ident)
        link.peer_introduced(introduction)
        link.accept(self._connection.introduction(self._ident))
        link.receiver = self._accept(link)

    def channel_closed(self, reason: str) -> None:
        self.connection_lost(f"the broker closed the listener's channel: {reason}")

    def connection_lost(self, reason: str) -> None:
        if not self._lost.is_set():
            self._reason = reason
            self._lost.set()

    # -- serving

    async def _keep_serving(self) -> None:
        """Serve, and serve again whenever the connection is lost."""
        delay = _FIRST_DELAY
        # A cancellation alone would not do: in aiormq it may end as another error.
        while not self._closed:
            try:
                await self._declare()
            except Exception as exc:
                await self._withdraw()
                if not self._serving.done():
                    self._serving.set_exception(exc)
                    return
                logger.warning("%s is not served, for now: %s", self.address, exc)
            else:
                delay = _FIRST_DELAY
                if not self._serving.done():
                    self._serving.set_result(None)
                else:
                    logger.info("%s is served again", self.address)
                await self._lost.wait()
                logger.warning("%s is not served, for now: %s", self.address, self._reason)
                await self._withdraw()
            await asyncio.sleep(delay)
            delay = min(2 * delay, _MAX_DELAY)

    async def _declare(self) -> None:
        """Connect, and consume from the queue of the address."""
        self._lost.clear()
        connection = self._connection = await acquire(self._key)
        amqp = connection.amqp
        with translated_errors(f"cannot serve {self.address}"):
            async with asyncio.timeout(_DECLARE_TIMEOUT):
                connection.servers[self._ident] = self
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
