"""Clients and servers over a shared inbox, without a broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from communica_like import (
    Closed,
    ConnectionLost,
    Context,
    FeatureNotAvailable,
    Limits,
    MessageTooBig,
    ReqError,
    RequestTimeout,
    SimpleClient,
    SimpleServer,
)
from communica_like.entities.inbox.acceptor import InboxAcceptor
from communica_like.entities.inbox.reconnector import InboxReconnector
from communica_like.exceptions import LinkError
from tests.entities.inbox.memory_inbox import MemoryInboxConnector, MemoryPublisher
from tests.entities.stage import PATIENCE, QUICK, echo, eventually


@pytest.fixture
def connector() -> MemoryInboxConnector:
    return MemoryInboxConnector()


async def test_requests_and_throws(connector: MemoryInboxConnector) -> None:
    seen: list[Any] = []

    async def handler(data: Any, context: Context) -> Any:
        seen.append((data, context.key))
        await asyncio.sleep(0)
        if data == "fail":
            raise ReqError("no", 7)
        return data

    async with SimpleServer(connector, handler) as server, SimpleClient(connector) as client:
        assert await client.request(1, key="mine") == 1
        with pytest.raises(ReqError, match="no"):
            await client.request("fail")
        await client.throw(2)
        await eventually(lambda: len(seen) == 3)
        assert (seen[0], seen[2][0]) == ((1, "mine"), 2)
        assert client.connected
        assert server.clients == []
        with pytest.raises(FeatureNotAvailable, match="no clients to call"):
            await server.request(1)


async def test_a_cancelled_request_cancels_its_handler(connector: MemoryInboxConnector) -> None:
    cancelled = asyncio.Event()
    begun = asyncio.Event()

    async def handler(data: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    async with SimpleServer(connector, handler), SimpleClient(connector) as client:
        asking = asyncio.ensure_future(client.request(1))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        asking.cancel()
        await asyncio.wait_for(cancelled.wait(), PATIENCE)
        assert connector.shared.forgotten == [(1, True)]


async def test_a_full_outbox_makes_callers_wait_in_order(connector: MemoryInboxConnector) -> None:
    async with SimpleClient(connector, limits=Limits(outbox=1)) as client:
        first, second = (asyncio.ensure_future(client.request(number)) for number in (1, 2))
        await asyncio.sleep(0)
        with pytest.raises(RequestTimeout, match="no room in the outbox in time"):
            await client.throw(3, timeout=0.01)
        with pytest.raises(RequestTimeout, match="over before it was sent"):
            await client.throw(3, timeout=0)
        async with SimpleServer(connector, echo):
            assert await asyncio.wait_for(first, PATIENCE) == 1
            assert await asyncio.wait_for(second, PATIENCE) == 2


async def test_a_timeout_says_what_is_in_the_way(connector: MemoryInboxConnector) -> None:
    async with SimpleClient(connector) as client:
        with pytest.raises(RequestTimeout, match="no answer in time: the test says so"):
            await client.request(1, timeout=0.01)


async def test_a_timeout_without_a_broker_says_why(
    connector: MemoryInboxConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: MemoryPublisher) -> None:
        raise LinkError("the broker is away")

    obstacle = r"no connection to memory://.*: the broker is away"
    async with SimpleClient(connector, backoff=QUICK) as client:
        connector.shared.confirming = False
        monkeypatch.setattr(MemoryPublisher, "connect", refuse)
        asking = asyncio.ensure_future(client.request(1, timeout=0.2))
        await asyncio.sleep(0)
        backend = client._backend
        assert isinstance(backend, InboxReconnector)
        backend.channel.publisher.break_off()  # type: ignore[attr-defined]
        await eventually(lambda: backend.last_error)
        for call in (client.request, client.throw):
            with pytest.raises(RequestTimeout, match=rf"^not sent: {obstacle}"):
                await call(2, timeout=0.01)
        with pytest.raises(RequestTimeout, match=rf"^no answer in time: {obstacle}"):
            await asking


async def test_what_cannot_be_cured_ends_the_start(
    connector: MemoryInboxConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: MemoryPublisher) -> None:
        error = LinkError("made with other arguments")
        error.lasting = True
        raise error

    monkeypatch.setattr(MemoryPublisher, "connect", refuse)
    client = SimpleClient(connector, backoff=QUICK)
    with pytest.raises(LinkError, match=r"^made with other arguments"):
        await asyncio.wait_for(client.init(), PATIENCE)
    assert client.state == "closed"


async def test_what_cannot_be_sent(connector: MemoryInboxConnector) -> None:
    async with SimpleClient(connector, limits=Limits(max_message=2000)) as client:
        with pytest.raises(MessageTooBig, match="at most 2000"):
            await client.request("x" * 2000)
        for key, error in ((1, TypeError), ("", ValueError), ("x" * 256, ValueError)):
            wrong: Any = key
            with pytest.raises(error, match="a key"):
                await client.request(1, key=wrong)


async def test_closing_ends_requests_and_unconfirmed_throws(connector: MemoryInboxConnector) -> None:
    connector.shared.confirming = False
    client = await SimpleClient(connector, drain_timeout=0.01).init()
    asking, throwing = asyncio.ensure_future(client.request(1)), asyncio.ensure_future(client.throw(2))
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(Closed):
        await asking
    with pytest.raises(ConnectionLost, match="did not confirm it"):
        await throwing


async def test_both_sides_come_back(connector: MemoryInboxConnector) -> None:
    async with SimpleServer(connector, echo) as server, SimpleClient(connector, backoff=QUICK) as client:
        backends = client._backend, server._backend
        assert isinstance(backends[0], InboxReconnector)
        assert isinstance(backends[1], InboxAcceptor)
        backends[0].channel.publisher.break_off()  # type: ignore[attr-defined]
        backends[1]._consumer.break_off()  # type: ignore[attr-defined]
        assert await asyncio.wait_for(client.request(1), PATIENCE) == 1
        await eventually(lambda: client.connected)


async def test_a_handler_that_is_cut_short_is_done_again_by_another_server(
    connector: MemoryInboxConnector,
) -> None:
    begun = asyncio.Event()

    async def never(data: Any) -> None:
        begun.set()
        await asyncio.sleep(60)

    async with SimpleClient(connector) as client:
        server = await SimpleServer(connector, never).init()
        asking = asyncio.ensure_future(client.request(1))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        await server.close(0)
        async with SimpleServer(connector, echo):
            assert await asyncio.wait_for(asking, PATIENCE) == 1
