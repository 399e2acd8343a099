"""What the two ends of a shared inbox have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, Final

from ....abc import PeerIdentity
from ....exceptions import LinkError
from ..connection import AmqpConnection, BrokerKey, translated_errors
from ..protocol import ChannelUser
from ..shared_connection import SharedConnection, acquire, blocked_error
from .topology import Topology

_OPEN_TIMEOUT: Final = 35.0  # seconds; for a queue without a leader the broker itself waits for 30


class InboxEnd(ChannelUser, ABC):
    """A reference to a broker's connection, and channels on it.

    Args:
        key: which broker.
        topology: which inbox.
        purpose: what the end is for, in errors.
    """

    def __init__(self, key: BrokerKey, topology: Topology, purpose: str) -> None:
        self._key = key
        self._topology = topology
        self._purpose = purpose
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[str] = self._loop.create_future()
        self._connection: SharedConnection | None = None
        self._channels: list[Any] = []
        self._scheduled = False
        self._peer = PeerIdentity(key.url.scheme, f"{key.url.place}, inbox {topology.address}")

    @property
    def peer(self) -> PeerIdentity:
        return self._peer

    async def lost(self) -> str:
        return await asyncio.shield(self._lost)

    # -- for subclasses

    @abstractmethod
    async def _declare(self, amqp: AmqpConnection) -> None:
        """Declare this end's own queues, and consume from them."""

    @abstractmethod
    def _reset(self) -> None:
        """Forget what the lost channels had under way."""

    @abstractmethod
    def _flush(self) -> None:
        """Write what waits, and reset ``_scheduled``."""

    def _schedule(self) -> None:
        """Flush in the next turn of the event loop."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    async def _open(self) -> None:
        """Connect, and declare the inbox and this end's own queues."""
        connection = await acquire(self._key)
        self._lost = self._loop.create_future()
        self._connection = connection
        connection.on_lost.add(self.connection_lost)
        text = f"{self._purpose} {connection.place}"
        try:
            with translated_errors(text):
                async with asyncio.timeout(_OPEN_TIMEOUT):
                    await self._topology.declare(connection.amqp)
                    await self._declare(connection.amqp)
            if self._lost.done():
                raise LinkError(f"{text}: {self._lost.result()}")
        except BaseException as exc:
            self.connection_lost(str(exc) or "it was not opened")
            await self._close()
            if isinstance(exc, LinkError) and connection.blocked_reason:
                raise blocked_error(connection) from exc
            raise

    async def _new_channel(self, amqp: AmqpConnection) -> Any:
        self._channels.append(await amqp.new_channel(self))
        return self._channels[-1]

    async def _close(self) -> None:
        """Close the channels, and drop the connection."""
        self.connection_lost("it is closed")
        connection, self._connection = self._connection, None
        channels, self._channels = self._channels, []
        if connection is None:
            return
        connection.on_lost.discard(self.connection_lost)
        try:
            for channel in channels:
                await connection.amqp.close_channel(channel)
        finally:
            await connection.drop()

    # -- events

    def connection_lost(self, reason: str) -> None:
        """The connection or one of the channels is of no use any more."""
        if not self._lost.done():
            self._lost.set_result(reason)
        self._reset()

    def channel_closed(self, reason: str) -> None:
        self.connection_lost(f"the broker closed a channel: {reason}")
