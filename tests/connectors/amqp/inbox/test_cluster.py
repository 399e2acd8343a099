"""A shared inbox at a cluster of brokers, one of which stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

import pytest

from communica_like import RmqInboxConnector, SimpleClient, SimpleServer
from tests.rmq_broker import PrivateBroker, needs_private_broker

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

_EACH = 300


def connector_to(*nodes: PrivateBroker) -> RmqInboxConnector:
    """Return the connector of those who look for a broker in this order."""
    hosts = tuple(f"127.0.0.1:{node.port}" for node in nodes[1:])
    return RmqInboxConnector(nodes[0].url, "cluster", hosts=hosts)


class Work:
    """A client and a server that go on while brokers stop."""

    def __init__(self, servers: RmqInboxConnector, clients: RmqInboxConnector) -> None:
        self._handled: Counter[str] = Counter()
        self._server = SimpleServer(servers, self._handle)
        self._client = SimpleClient(clients)
        self._stack = contextlib.AsyncExitStack()

    def _handle(self, data: str) -> str:
        self._handled[data] += 1
        return data

    async def __aenter__(self) -> Work:
        await self._stack.enter_async_context(self._server)
        await self._stack.enter_async_context(self._client)
        return self

    async def __aexit__(self, *reason: Any) -> None:
        await self._stack.aclose()

    async def goes_on(self, name: str, event: Any) -> None:
        """Make requests and throws; *event* happens in between. See that all were handled."""
        texts = [f"{name} {number}" for number in range(_EACH)]
        thrown = [f"{text} thrown" for text in texts]

        async def ask(some: list[str]) -> None:
            for text in some:
                await self._client.throw(f"{text} thrown", timeout=120)
                assert await self._client.request(text, timeout=120) == text

        halves = [asyncio.gather(*(ask(texts[start::10]) for start in range(5)))]
        happening = asyncio.to_thread(event)
        await happening
        halves.append(asyncio.gather(*(ask(texts[start::10]) for start in range(5, 10))))
        await asyncio.gather(*halves)
        async with asyncio.timeout(30):
            while not all(text in self._handled for text in thrown):
                await asyncio.sleep(0.02)


async def test_two_brokers() -> None:
    needs_private_broker()
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(PrivateBroker())
        async with SimpleServer(connector_to(one)):
            pass  # the inbox is made before there is a second node: its only member is on this one
        other = stack.enter_context(PrivateBroker(beside=one))
        async with Work(connector_to(other, one), connector_to(other, one)) as work:
            await work.goes_on("both", lambda: None)
            await work.goes_on("one", other.stop)


async def test_three_brokers() -> None:
    needs_private_broker()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(PrivateBroker())
        nodes = [first, *(stack.enter_context(PrivateBroker(beside=first)) for _ in range(2))]
        # Declared through the first node, which therefore has the leader.
        async with Work(connector_to(*nodes), connector_to(*reversed(nodes))) as work:
            for node in nodes:
                await asyncio.to_thread(node.until_dispensable)
                await work.goes_on(f"without {node.port}", node.stop)
                await asyncio.to_thread(node.start)
                await work.goes_on(f"with {node.port}", lambda: None)
