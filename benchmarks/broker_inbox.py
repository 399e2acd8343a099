"""The library's shared inbox: a SimpleServer and a SimpleClient over an RmqInboxConnector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiormq

from benchmarks.arena import Handler
from benchmarks.broker_address import split
from benchmarks.confirmed_throws import ConfirmedThrows
from communica_like import RmqInboxConnector, SimpleClient, SimpleServer
from communica_like.serializers import OrjsonSerializer

__all__ = ["connect", "serve"]


@asynccontextmanager
async def serve(address: str, handler: Handler) -> AsyncIterator[object]:
    """Serve *handler*; remove the inbox in the end."""
    url, name = split(address)
    connector = RmqInboxConnector(url, name)
    try:
        async with SimpleServer(connector, handler, serializer=OrjsonSerializer()) as server:
            yield server
    finally:
        connection = await aiormq.connect(url)
        try:
            channel = await connection.channel()
            for kind in ("shared", "dead"):
                await channel.queue_delete(f"communica_like.{kind}.{name}")
            await channel.exchange_delete(f"communica_like.dead.{name}")
        finally:
            await connection.close()


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[ConfirmedThrows]:
    """Connect one client."""
    url, name = split(address)
    connector = RmqInboxConnector(url, name)
    async with SimpleClient(connector, serializer=OrjsonSerializer()) as client:
        yield ConfirmedThrows(client)
