"""ConnectionUser: the life of channels on a shared connection."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, Final

from ...exceptions import LinkError
from .calls import translated_errors
from .connection import Connection, acquire
from .key import BrokerKey
from .protocol import ChannelUser

_OPEN_TIMEOUT: Final = 35.0  # seconds; for a quorum queue without a leader the broker itself waits for 30


class ConnectionUser(ChannelUser, ABC):
    """Has channels, and a reference to the connection that carries them. Both may be opened again.

    Errors of opening begin with *failure*.
    """

    def __init__(self, key: BrokerKey, failure: str) -> None:
        self._key = key
        self._failure = failure
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[str] = self._loop.create_future()
        self._connection: Connection | None = None
        self._channels: list[Any] = []

    async def lost(self) -> str:
        """Wait until the connection, or a channel, is lost; return the reason."""
        return await asyncio.shield(self._lost)

    @abstractmethod
    async def _declare(self, connection: Connection) -> None:
        """Declare queues, and consume from them."""

    async def connect(self) -> None:
        """Connect and declare. An error or a cancellation leaves nothing behind.

        Raises:
            LinkError: the broker cannot be reached, or refuses.
            FeatureNotAvailable: aiormq is not installed.
        """
        self._lost = self._loop.create_future()
        try:
            connection = self._connection = await acquire(self._key)
            connection.on_lost.add(self.connection_lost)
            with translated_errors(self._failure):
                async with asyncio.timeout(_OPEN_TIMEOUT):
                    await self._declare(connection)
            if self._lost.done():
                raise LinkError(f"{self._failure}: {self._lost.result()}")
        except BaseException as exc:
            blocked = self._connection.blocked_reason if self._connection is not None else ""
            self.connection_lost(str(exc) or "it was not opened")
            await self._disconnect()
            if isinstance(exc, LinkError) and blocked:
                raise LinkError(blocked) from exc
            raise

    async def _new_channel(self, connection: Connection) -> Any:
        self._channels.append(await connection.new_channel(self))
        return self._channels[-1]

    async def _disconnect(self) -> None:
        """Close the channels, and drop the connection."""
        self.connection_lost("it is closed")
        connection, self._connection = self._connection, None
        channels, self._channels = self._channels, []
        if connection is None:
            return
        connection.on_lost.discard(self.connection_lost)
        try:
            for channel in channels:
                await connection.close_channel(channel)
        finally:
            await connection.drop()

    # -- events

    def connection_lost(self, reason: str) -> None:
        """The connection or one of the channels is of no use any more."""
        if not self._lost.done():
            self._lost.set_result(reason)

    def channel_closed(self, reason: str) -> None:
        self.connection_lost(f"the broker closed a channel: {reason}")
