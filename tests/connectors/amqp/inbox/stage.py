"""A shared inbox of a test's own, which is removed in the end; and what tests do to it."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import aiormq

from communica_like import RmqInboxConnector, RouteServer, SimpleServer
from communica_like.connectors.amqp.inbox.consumer import AmqpConsumer
from communica_like.entities.inbox.acceptor import InboxAcceptor
from tests.rmq_broker import SHARED

__all__ = ["PATIENCE", "URL", "OwnInbox", "abort_connection", "kill", "until"]

URL: Final = "amqp://guest:guest@{}:{}/".format(*SHARED)
PATIENCE: Final = 40.0


class OwnInbox:
    """A new address, from ``async with`` to the end of its queues.

    Attributes:
        connector: of it.
        inbox, dead: the names of its queues.
    """

    def __init__(self, url: str = URL, address: str | None = None, **options: Any) -> None:
        address = address or f"test-{os.getpid()}-{secrets.token_hex(4)}"
        self.connector = RmqInboxConnector(url, address, **options)
        topology = self.connector._topology
        self.inbox, self.dead = topology.inbox, topology.dead
        self._url = url

    async def __aenter__(self) -> Self:
        self._connection = await aiormq.connect(self._url)
        self.channel = await self._connection.channel()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()
        connection = await aiormq.connect(self._url)
        channel = await connection.channel()
        for queue in (self.inbox, self.dead):
            await channel.queue_delete(queue)
        await channel.exchange_delete(self.dead)
        await connection.close()

    async def ready(self, queue: str) -> int:
        """Return how many messages wait in a queue."""
        found = await self.channel.queue_declare(queue, passive=True)
        assert found.message_count is not None
        return found.message_count

    async def empties(self, queue: str) -> None:
        """Wait until no message waits in a queue."""
        async with asyncio.timeout(PATIENCE):
            while await self.ready(queue):
                await asyncio.sleep(0.01)


async def until(condition: Callable[[], object]) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


async def kill(server: SimpleServer | RouteServer) -> None:
    """Do to a server what kill -9 does: what it had in hand is the broker's again."""
    abort_connection(server)
    await server.close(0)


def abort_connection(server: SimpleServer | RouteServer) -> None:
    """Break the server's connection."""
    acceptor = server._backend
    assert isinstance(acceptor, InboxAcceptor)
    consumer = acceptor._consumer
    assert isinstance(consumer, AmqpConsumer)
    assert consumer._connection is not None
    consumer._connection.transport.abort()
