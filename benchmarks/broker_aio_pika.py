"""aio-pika's RPC pattern, and its plain publishing for throws: https://docs.aio-pika.com/patterns.html."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.patterns import RPC

from benchmarks.arena import Handler
from benchmarks.broker_address import split

__all__ = ["connect", "serve"]


class _Rpc(RPC):
    """With the JSON that all others have, too, instead of pickles."""

    CONTENT_TYPE = "application/json"

    def serialize(self, data: Any) -> bytes:
        return orjson.dumps(data)

    def deserialize(self, data: bytes) -> Any:
        return orjson.loads(data)


@asynccontextmanager
async def serve(address: str, handler: Handler) -> AsyncIterator[object]:
    """Serve *handler* as a method for requests, and from a queue for throws."""
    url, name = split(address)

    async def answer(*, data: Any) -> Any:
        return handler(data)

    async def take(message: AbstractIncomingMessage) -> None:
        handler(orjson.loads(message.body))

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        rpc = await _Rpc.create(channel)
        await rpc.register(name, answer, exclusive=True, auto_delete=True)
        thrown = await channel.declare_queue(f"{name}-thrown", exclusive=True, auto_delete=True)
        await thrown.consume(take, no_ack=True)
        yield rpc


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[_Client]:
    """Open a connection to the broker, and a channel for one client."""
    url, name = split(address)
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        yield _Client(await _Rpc.create(channel), channel, name)


class _Client:
    def __init__(self, rpc: RPC, channel: AbstractChannel, name: str) -> None:
        self._rpc = rpc
        self._exchange = channel.default_exchange
        self._name = name

    async def request(self, data: Any, /) -> Any:
        return await self._rpc.call(self._name, {"data": data})

    async def throw(self, data: Any, /) -> None:
        await self._exchange.publish(aio_pika.Message(orjson.dumps(data)), f"{self._name}-thrown")
