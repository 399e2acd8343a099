"""A server's address at a broker, and the way back to it when the connection is gone."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any, Final

from ...abc import Link, LinkReceiver, Listener
from .connection import BrokerKey, give_time, ignore_message, no_aiormq_errors
from .link import AmqpLink
from .link_messages import TO_CLIENT, Introduction
from .shared_connection import SharedConnection, acquire

__all__ = ["AmqpListener", "address_key", "server_key"]

logger = logging.getLogger("communica_like")

_FIRST_PAUSE: Final = 0.05  # seconds
_LONGEST_PAUSE: Final = 1.0
_PATIENCE: Final = 5.0  # seconds for the broker to do what it is asked for
_ORPHAN: Final = 10_000  # milliseconds that the queue of an address may be without a server


def address_key(address: str) -> str:
    """Return the routing key, and the name, of the queue that all servers of an address share."""
    return f"communica_like.address.{address}"


def server_key(server: str) -> str:
    """Return the routing key of one server."""
    return f"communica_like.server.{server}"


class AmqpListener(Listener):
    """Serves an address, beside other servers: a client that knocks gets one of them.

    The queue of the address goes with the last of them; and it goes after _ORPHAN if the one that made it was
    killed before it served. A client that comes back knocks at its server's own key, which leads to the inbox
    of the connection that the server has at the time.

    Args:
        key: which broker.
        name: the address.
        url: the same, as clients know it.
        accept: as for Connector.listen.
    """

    def __init__(self, key: BrokerKey, name: str, url: str, accept: Callable[[Link], LinkReceiver]) -> None:
        self.address = url
        self._key = key
        self._name = name
        self._accept = accept
        self._ident = secrets.token_hex(16)
        self._broker: SharedConnection | None = None
        self._channel: Any = None
        self._closed = False
        self._lost = asyncio.Event()
        self._reason = ""
        self._serving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeping = asyncio.get_running_loop().create_task(
            self._keep(), name=f"communica_like listener {url}"
        )

    async def open(self) -> None:
        """Wait until it serves.

        Raises:
            LinkError: the broker cannot be reached, or does not allow it.
            FeatureNotAvailable: aiormq is not installed.
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

    # -- for the connection

    def message(self, body: bytes, returned: bool) -> None:
        if self._broker is not None:
            self._broker.knock(body, self)

    def knocked(self, ident: bytes, introduction: Introduction) -> None:
        if self._broker is None:
            return
        self._broker.hold()
        link = AmqpLink(self._broker, TO_CLIENT, ident)
        link.open(introduction)
        link.welcome(self._broker.introduction(self._ident))
        link.receiver = self._accept(link)

    def channel_closed(self, reason: str) -> None:
        self.connection_lost(f"the broker closed the listener's channel: {reason}")

    def connection_lost(self, reason: str) -> None:
        if not self._lost.is_set():
            self._reason = reason
            self._lost.set()

    # --

    async def _keep(self) -> None:
        """Serve, and serve again whenever the broker does not let it any more."""
        pause = _FIRST_PAUSE
        # Not only until it is cancelled: what aiormq does meanwhile may end with an error instead.
        while not self._closed:
            try:
                await self._announce()
            except Exception as exc:
                await self._withdraw()
                if not self._serving.done():
                    self._serving.set_exception(exc)
                    return
                logger.warning("%s is not served, for now: %s", self.address, exc)
            else:
                pause = _FIRST_PAUSE
                if not self._serving.done():
                    self._serving.set_result(None)
                else:
                    logger.info("%s is served again", self.address)
                await self._lost.wait()
                logger.warning("%s is not served, for now: %s", self.address, self._reason)
                await self._withdraw()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _announce(self) -> None:
        self._lost.clear()
        broker = self._broker = await acquire(self._key)
        connection = broker.connection
        queue = address_key(self._name)
        with no_aiormq_errors(f"cannot serve {self.address}"):
            async with asyncio.timeout(_PATIENCE):
                broker.servers[self._ident] = self
                channel = self._channel = await connection.new_channel(self)
                await connection.declare_exchange(channel)
                await connection.bind(channel, broker.inbox, server_key(self._ident))
                await channel.queue_declare(
                    queue,
                    durable=not connection.lets_transient_be_shared,
                    auto_delete=True,
                    arguments={"x-expires": _ORPHAN},
                )
                await connection.bind(channel, queue, queue)
                await channel.basic_consume(queue, ignore_message, no_ack=True)

    async def _withdraw(self) -> None:
        """Let go of the broker. Links live on."""
        broker, self._broker = self._broker, None
        channel, self._channel = self._channel, None
        if broker is None:
            return
        try:
            broker.servers.pop(self._ident, None)
            if channel is not None and not broker.over:
                await give_time(self._leave(broker, channel), _PATIENCE)
        finally:
            closing = broker.release()
            if closing is not None:
                await asyncio.shield(closing)

    async def _leave(self, broker: SharedConnection, channel: Any) -> None:
        connection = broker.connection
        if not channel.is_closed:
            await connection.unbind(channel, broker.inbox, server_key(self._ident))
            await channel.close()
        connection.leave_channel(channel)
        # The queue is gone in a moment, and swallows knocks until then. If others serve the address
        # the broker refuses this, and closes the channel.
        last = await connection.new_channel()
        await last.queue_delete(address_key(self._name), if_unused=True)
        await last.close()
