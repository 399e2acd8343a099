"""communica's SimpleServer and SimpleClient over its RmqConnector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiormq
from communica.clients import SimpleClient
from communica.connectors.rabbitmq import RmqConnector
from communica.servers import SimpleServer

from benchmarks.arena import Handler
from benchmarks.broker_address import split

__all__ = ["connect", "serve"]

CLIENT = "client"


@asynccontextmanager
async def serve(address: str, handler: Handler) -> AsyncIterator[object]:
    """Serve *handler*; in the end remove the queues that its connector leaves."""
    url, name = split(address)
    try:
        async with SimpleServer(RmqConnector(url, name), handler) as server:
            yield server
    finally:
        connection = await aiormq.connect(url)
        try:
            channel = await connection.channel()
            for part in ("connect.server", f"toClient.{CLIENT}", f"toServer.{CLIENT}"):
                await channel.queue_delete(f"communica.{name}.{part}")
        finally:
            await connection.close()


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Any]:
    """Connect a client. It has the same name each time, since its queues stay."""
    url, name = split(address)
    async with SimpleClient(RmqConnector(url, name, client_id=CLIENT)) as client:
        yield client
