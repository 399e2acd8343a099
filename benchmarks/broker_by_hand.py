"""A hand-written request-reply loop on aiormq: what the table of the broker is measured against.

One queue of the server's, which takes messages without acknowledging them; answers come by direct reply-to:
https://www.rabbitmq.com/docs/direct-reply-to. No confirms, no acknowledgements, no sessions; but
``broker_by_hand_quorum`` asks for some of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiormq
import orjson
from aiormq.abc import AbstractChannel, DeliveredMessage

from benchmarks.arena import Handler
from benchmarks.broker_address import split

__all__ = ["connect", "serve"]

REPLY_TO = "amq.rabbitmq.reply-to"


@asynccontextmanager
async def serve(address: str, handler: Handler, *, quorum: bool = False) -> AsyncIterator[object]:
    """Serve *handler* from an exclusive queue, or from a quorum queue, removed in the end."""
    url, name = split(address)

    async def on_message(message: DeliveredMessage) -> None:
        answer = handler(orjson.loads(message.body))
        asked = message.header.properties
        if asked.reply_to is not None:
            properties = aiormq.spec.Basic.Properties(correlation_id=asked.correlation_id)
            await channel.basic_publish(
                orjson.dumps(answer), routing_key=asked.reply_to, properties=properties
            )

        if quorum:
            assert message.delivery_tag is not None
            await channel.basic_ack(message.delivery_tag)

    connection = await aiormq.connect(url)
    try:
        channel = await connection.channel(publisher_confirms=False)
        if quorum:
            await channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
            await channel.basic_qos(prefetch_count=128)
        else:
            await channel.queue_declare(name, exclusive=True, auto_delete=True)
        await channel.basic_consume(name, on_message, no_ack=not quorum)
        yield channel
        if quorum:
            await channel.queue_delete(name)
    finally:
        await connection.close()


@asynccontextmanager
async def connect(address: str, *, confirms: bool = False) -> AsyncIterator[_Client]:
    """Open a connection to the broker, and a channel for one client."""
    url, name = split(address)
    connection = await aiormq.connect(url)
    try:
        client = _Client(await connection.channel(publisher_confirms=confirms), name)
        await client.start()
        yield client
    finally:
        await connection.close()


class _Client:
    def __init__(self, channel: AbstractChannel, server: str) -> None:
        self._channel = channel
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._count = 0

    async def start(self) -> None:
        await self._channel.basic_consume(REPLY_TO, self._on_answer, no_ack=True)

    async def _on_answer(self, message: DeliveredMessage) -> None:
        number = message.header.properties.correlation_id
        assert number is not None
        self._answers.pop(number).set_result(orjson.loads(message.body))

    async def request(self, data: Any, /) -> Any:
        self._count += 1
        number = str(self._count)
        answer = self._answers[number] = self._loop.create_future()
        properties = aiormq.spec.Basic.Properties(correlation_id=number, reply_to=REPLY_TO)
        await self._channel.basic_publish(orjson.dumps(data), routing_key=self._server, properties=properties)
        return await answer

    async def throw(self, data: Any, /) -> None:
        await self._channel.basic_publish(orjson.dumps(data), routing_key=self._server)
