"""default_timeout, for calls that name no timeout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from communica_like import (
    ConnectTimeout,
    Limits,
    MemoryConnector,
    RequestTimeout,
    RouteClient,
    RouteServer,
    RouteTable,
    SimpleClient,
    SimpleServer,
    blocking,
)
from communica_like.entities.entity import Timeout
from communica_like.testing import FaultyConnector
from tests.entities.stage import QUICK, in_virtual_time

Call = Callable[..., Any]


async def slow(data: Any) -> Any:
    """Take two seconds."""
    await asyncio.sleep(2)
    return data


@asynccontextmanager
async def calls(kind: str, default_timeout: float | None) -> AsyncIterator[list[Call]]:
    """Yield the requests of a client and of its server, both to a slow handler on the other side."""
    connector = MemoryConnector()
    if kind == "simple":
        async with (
            SimpleServer(connector, slow, default_timeout=default_timeout) as server,
            SimpleClient(connector, slow, default_timeout=default_timeout) as client,
        ):
            assert client.default_timeout == server.default_timeout == default_timeout
            yield [client.request, server.request]
    else:
        table = RouteTable()
        table.handler(slow)
        async with (
            RouteServer(connector, table, default_timeout=default_timeout) as route_server,
            RouteClient(connector, table, default_timeout=default_timeout) as route_client,
        ):
            yield [
                lambda data, **more: route_client.request("slow", data, **more),
                lambda data, **more: route_server.request("slow", data, **more),
            ]


@pytest.mark.parametrize("kind", ["simple", "route"])
@pytest.mark.parametrize(
    "default_timeout, given, limit",
    [
        (1, {}, 1),
        (1, {"timeout": "default"}, 1),
        (1, {"timeout": 0.5}, 0.5),
        (1, {"timeout": None}, None),
        (1, {"timeout": 3}, None),
        (None, {}, None),
        (None, {"timeout": 0.5}, 0.5),
        (5, {}, None),
    ],
)
@in_virtual_time
async def test_requests(
    kind: str, default_timeout: float | None, given: dict[str, Timeout], limit: float | None
) -> None:
    now = asyncio.get_running_loop().time
    async with calls(kind, default_timeout) as both:
        for request in both:
            began = now()
            if limit is None:
                assert await request("it", **given) == "it"
            else:
                with pytest.raises(RequestTimeout):
                    await request("it", **given)
                assert now() - began == pytest.approx(limit)


@pytest.mark.parametrize("given, limit", [({}, 1), ({"timeout": 0.5}, 0.5), ({"timeout": None}, None)])
@pytest.mark.parametrize("side", ["client", "server"])
@in_virtual_time
async def test_throws_that_wait_for_room(side: str, given: dict[str, Timeout], limit: float | None) -> None:
    options: dict[str, Any] = {
        "limits": Limits(outbox=4096, window=100_000, chunk=1024, max_message=2048),
        "default_timeout": 1,
        "drain_timeout": 0,
    }
    connector = FaultyConnector(MemoryConnector())
    connector.cutting = False
    async with SimpleServer(connector.inner, print, **options) as server:
        async with SimpleClient(connector, print, **options) as client:
            throw: Call = client.throw if side == "client" else server.throw
            connector.stall()

            async def fill() -> None:
                while True:
                    await throw("x" * 1000, **given)

            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(3):
                    await fill()
            except RequestTimeout:
                assert limit is not None
                assert asyncio.get_running_loop().time() - began == pytest.approx(limit)
            except TimeoutError:
                assert limit is None


@in_virtual_time
async def test_calls_of_a_server_without_clients() -> None:
    async with SimpleServer(MemoryConnector(), default_timeout=1) as server:
        now = asyncio.get_running_loop().time
        for call in (server.request, server.throw):
            began = now()
            with pytest.raises(RequestTimeout, match="no client came in time"):
                await call(1)
            assert now() - began == pytest.approx(1)


@in_virtual_time
async def test_a_request_waits_for_the_connection_too() -> None:
    client = await SimpleClient(MemoryConnector(), backoff=QUICK, default_timeout=1).init(wait=False)
    with pytest.raises(RequestTimeout):
        await client.request(1)
    await client.close(0)


def test_blocking_entities_have_it_too() -> None:
    connector = MemoryConnector("blocking")

    async def never(data: Any) -> None:
        await asyncio.Event().wait()

    with (
        blocking.SimpleServer(connector, never, default_timeout=0.05) as server,
        blocking.SimpleClient(connector, never, default_timeout=0.05) as client,
    ):
        assert client.default_timeout == server.default_timeout == 0.05
        for request in (client.request, server.request):
            with pytest.raises(RequestTimeout):
                request(1)
    with pytest.raises(ConnectTimeout):
        client.init(0)
