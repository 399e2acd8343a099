from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import communica_like
from communica_like import (
    Closed,
    ConnectionLost,
    MemoryConnector,
    RequestTimeout,
    RespError,
    RouteTable,
    Serializer,
    SimpleClient,
    SimpleServer,
    blocking,
)
from communica_like.serializers import JsonSerializer
from tests.entities.stage import PATIENCE, echo, eventually, simple_pair


class Upper(Serializer):
    def dump(self, obj: Any, /) -> bytes:
        return str(obj).upper().encode()

    def load(self, data: bytes, /) -> Any:
        return data.decode()


def test_the_order_of_arguments() -> None:
    def names(kind: Callable[..., Any]) -> list[str]:
        parameters = inspect.signature(kind).parameters.values()
        return [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]

    assert names(SimpleServer) == names(SimpleClient) == ["connector", "handler", "serializer"]
    for kind in (SimpleServer, SimpleClient):
        for call in (kind.request, kind.throw):
            assert names(call) == ["self", "data"]


async def test_both_ways() -> None:
    async with simple_pair(lambda data: data + 1, lambda data: data * 2) as (server, client):
        assert await client.request(1) == 2
        assert await server.request(5) == 10
        assert await server.request(5, client_id=client.client_id) == 10
        assert await asyncio.gather(*map(client.request, range(100))) == list(range(1, 101))


async def test_throws_arrive_in_order() -> None:
    there: list[int] = []
    here: list[int] = []
    async with simple_pair(there.append, here.append) as (server, client):
        for number in range(500):
            await client.throw(number)
            await server.throw(number)
        await eventually(lambda: len(there) == len(here) == 500)
    assert there == here == list(range(500))


async def test_a_serializer_of_ones_own() -> None:
    async with simple_pair(echo, serializer=Upper()) as (_, client):
        assert await client.request("quiet") == "QUIET"


@pytest.mark.parametrize("name", ["SimpleServer", "SimpleClient", "RouteServer", "RouteClient"])
@pytest.mark.parametrize("module", [communica_like, blocking], ids=["async", "blocking"])
def test_what_is_no_connector(module: Any, name: str) -> None:
    kind = getattr(module, name)
    for given, call in (
        ("local://x", f"{name}(connector_from('local://...'), ...)"),
        ("amqp://me:s3cr3t@host", f"{name}(connector_from('amqp://...'), ...)"),
        ("x", f"{name}(LocalConnector('x'), ...)"),
        (5, f"{name}(LocalConnector('name'), ...)"),
        (MemoryConnector, f"{name}(LocalConnector('name'), ...)"),
    ):
        with pytest.raises(TypeError, match="a connector is expected, not ") as caught:
            kind(given)
        assert str(caught.value).endswith(f": {call}")
        assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("side", ["Server", "Client"])
@pytest.mark.parametrize("module", [communica_like, blocking], ids=["async", "blocking"])
def test_what_is_refused(module: Any, side: str) -> None:
    kind = getattr(module, f"Simple{side}")
    call = f"Simple{side}(connector, handler)"
    with pytest.raises(TypeError, match="serializer is expected"):
        kind(MemoryConnector(), echo, JsonSerializer)
    with pytest.raises(TypeError, match=f"5 is not: {re.escape(call)}$"):
        kind(MemoryConnector(), 5)
    with pytest.raises(TypeError, match=re.escape(f"{call}; with a table: Route{side}(connector, table)")):
        kind(MemoryConnector(), RouteTable())
    with pytest.raises(TypeError, match=re.escape(call)) as caught:
        kind(MemoryConnector(), "me")
    assert ("with an id: SimpleClient(connector, client_id='me')" in str(caught.value)) == (side == "Client")
    with pytest.raises(TypeError, match="positional arguments"):
        kind(MemoryConnector(), echo, JsonSerializer(), "me")
    if side == "Client":
        with pytest.raises(TypeError, match=r"not 5: SimpleClient\(connector, \.\.\., client_id='name'\)"):
            kind(MemoryConnector(), client_id=5)


async def test_no_data_is_none() -> None:
    seen: list[Any] = []
    async with simple_pair(lambda data: [data], seen.append) as (server, client):
        assert await client.request() == [None]
        await server.throw()
        await eventually(lambda: seen == [None])
        assert await server.request() is None


async def test_any_client_means_another_one_each_time() -> None:
    connector = MemoryConnector()

    async with SimpleServer(connector) as server:
        clients = [SimpleClient(connector, lambda data, n=n: n, client_id=str(n)) for n in range(3)]
        for client in clients:
            await client.init()
        answers = [await server.request(None) for _ in range(6)]
        assert sorted(answers) == [0, 0, 1, 1, 2, 2]
        assert [each.client_id for each in server.clients] == ["0", "1", "2"]
        assert all(each.connected for each in server.clients)
        for client in clients:
            await client.close()
        await eventually(lambda: server.clients == [])


async def test_no_client_yet() -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector) as server:
        asking = asyncio.create_task(server.request(4))
        with pytest.raises(RequestTimeout, match="no client"):
            await server.request(1, timeout=0.001)
        with pytest.raises(ConnectionLost, match="no client 'me'") as caught:
            await server.request(1, client_id="me")
        assert caught.value.sent is False
        with pytest.raises(ConnectionLost, match="no client 'me'"):
            await server.throw(1, client_id="me")
        async with SimpleClient(connector, lambda data: data * 2):
            assert await asyncio.wait_for(asking, PATIENCE) == 8


@pytest.mark.parametrize("timeout", [0, -1, 0.01])
async def test_timeouts(timeout: float) -> None:
    cancelled = asyncio.Event()

    async def handler(data: Any) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with simple_pair(handler) as (_, client):
        with pytest.raises(RequestTimeout) as caught:
            await client.request(1, timeout=timeout)
        assert isinstance(caught.value, TimeoutError)
        if timeout > 0:
            await asyncio.wait_for(cancelled.wait(), PATIENCE)


async def test_no_limit_is_infinite() -> None:
    async with simple_pair(echo) as (_, client):
        assert await client.request(1, timeout=float("inf")) == 1
        assert await client.request(1, timeout=1e12) == 1


class Ping:
    """A handler that counts."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, data: Any) -> int:
        self.count += 1
        if self.count == 1:
            await asyncio.sleep(30)
        return self.count


@pytest.mark.parametrize("idempotent", [False, True])
async def test_only_idempotent_requests_go_to_the_next_server(idempotent: bool) -> None:
    connector = MemoryConnector()
    handler = Ping()
    server = await SimpleServer(connector, handler).init()
    async with SimpleClient(connector) as client:
        asking = asyncio.create_task(client.request(1, idempotent=idempotent))
        await eventually(lambda: handler.count == 1)
        await server.close(0)
        async with SimpleServer(connector, handler):
            if idempotent:
                assert await asyncio.wait_for(asking, PATIENCE) == 2
            else:
                with pytest.raises((ConnectionLost, Closed)) as caught:
                    await asking
                assert getattr(caught.value, "sent", True) is True


async def test_without_a_handler() -> None:
    async with simple_pair() as (server, client):
        with pytest.raises(RespError, match="no handler"):
            await client.request(1)
        with pytest.raises(RespError, match="no handler"):
            await server.request(1)
