from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from communica_like import (
    Closed,
    ConnectionLost,
    Link,
    LinkReceiver,
    Listener,
    LocalConnector,
    MemoryConnector,
    RouteServer,
    SimpleClient,
    SimpleServer,
    TcpConnector,
    connector_from,
)
from communica_like.exceptions import AddressInUse, ConnectTimeout, InsecureAddress, LinkError
from tests.entities.stage import PATIENCE, QUICK, echo, eventually, in_virtual_time, logged, simple_pair


async def test_the_address_tells_the_chosen_port() -> None:
    server = SimpleServer(TcpConnector("127.0.0.1", 0), echo)
    assert server.address == "tcp://127.0.0.1:0"
    async with server:
        assert server.address != "tcp://127.0.0.1:0"
        async with SimpleClient(connector_from(server.address)) as client:
            assert await client.request(1) == 1
            [info] = server.clients
            assert (info.client_id, info.connected) == (client.client_id, True)
            assert info.peer is not None
            assert info.peer.transport == "tcp"
    assert server.clients == []


async def test_an_address_that_is_taken(tmp_path: Path) -> None:
    connector = LocalConnector(str(tmp_path / "s"))
    async with SimpleServer(connector, echo):
        second = SimpleServer(connector)
        with pytest.raises(AddressInUse):
            await second.init()
        assert second.state == "closed"
        async with SimpleClient(connector) as client:
            assert await client.request(1) == 1
    async with second:
        pass


async def test_addresses_that_cannot_be_served(tmp_path: Path) -> None:
    with pytest.raises(InsecureAddress):
        await SimpleServer(TcpConnector("0.0.0.0", 0)).init()
    with pytest.raises(LinkError):
        await SimpleServer(LocalConnector(str(tmp_path / "no" / "s"))).init()


@pytest.mark.parametrize("timeout", [0, None, 5])
async def test_init_with_any_timeout(timeout: float | None) -> None:
    connector = MemoryConnector()
    server = await SimpleServer(connector).init(timeout)
    assert server.state == "running"
    with pytest.raises(AddressInUse):
        await asyncio.wait_for(SimpleServer(connector).init(timeout), PATIENCE)
    await server.close()


@dataclass(frozen=True)
class Slow(MemoryConnector):
    """An address that cannot be listened to before its time."""

    delay: float = 2.0

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        await asyncio.sleep(self.delay)
        return await super().listen(accept)


@pytest.mark.parametrize("timeout, limit", [(0.5, 0.5), (0, 1.5), (-1, 1.5)])
@in_virtual_time
async def test_an_address_that_takes_too_long(timeout: float, limit: float) -> None:
    server = SimpleServer(Slow("slow"), handshake_timeout=1.5)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ConnectTimeout, match=f"^memory://slow could not be served within {limit} s$"):
        await server.init(timeout)
    assert asyncio.get_running_loop().time() - began == pytest.approx(limit)
    assert server.state == "closed"
    for enough in (None, 3):
        await server.init(enough)
        await server.close()


async def test_the_path_of_a_servers_file(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with SimpleServer(LocalConnector(path)) as server:
        assert server.path == path == server.connector.path
    assert SimpleServer(TcpConnector("127.0.0.1", 0)).path is None
    assert RouteServer(MemoryConnector()).path is None


async def test_init_cancelled_leaves_the_address_free(tmp_path: Path) -> None:
    connector = LocalConnector(str(tmp_path / "s"))
    for turns in range(5):
        server = SimpleServer(connector, echo)
        starting = asyncio.create_task(server.init())
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        try:
            await starting
        except asyncio.CancelledError:
            assert server.state in ("closed", "new")
        await server.close()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("turns", range(5))
async def test_init_of_a_server_that_is_closed_meanwhile(tmp_path: Path, turns: int) -> None:
    server = SimpleServer(LocalConnector(str(tmp_path / "s")), echo)
    starting = asyncio.create_task(server.init())
    await eventually(lambda: server.state == "running")
    for _ in range(turns):
        await asyncio.sleep(0)
    if starting.done():
        await server.close()
    else:
        await server.close()
        with pytest.raises(Closed):
            await starting
    assert server.state == "closed"
    assert list(tmp_path.iterdir()) == []


def test_policies() -> None:
    wrong: Any = "ignore"
    with pytest.raises(ValueError, match="'refuse' or 'replace'"):
        SimpleServer(MemoryConnector(), duplicate_clients=wrong)


async def test_a_client_that_leaves_ends_requests_to_it() -> None:
    async def never(data: Any) -> None:
        await asyncio.sleep(30)

    async with simple_pair(None, never) as (server, client):
        asking = asyncio.create_task(server.request(1, client_id=client.client_id))
        await eventually(lambda: client._pool is not None and not client._pool.idle)
        await client.close(0)
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(asking, PATIENCE)


async def test_requests_of_others_are_turned_away_while_it_closes() -> None:
    release = asyncio.Event()

    async def handler(data: Any) -> Any:
        if data == "hold":
            await release.wait()
        return data

    async with simple_pair(handler) as (server, client):
        await client.throw("hold")
        await eventually(lambda: server._pool is not None and not server._pool.idle)
        closing = asyncio.create_task(server.close())
        await asyncio.sleep(0)
        with pytest.raises(Closed):
            await server.request(1)
        with pytest.raises(ConnectionLost, match="closing") as caught:
            await asyncio.wait_for(client.request("late"), PATIENCE)
        assert caught.value.sent is False
        late = SimpleClient(server.connector, backoff=QUICK)
        with pytest.raises(Exception, match="closing"):
            await asyncio.wait_for(late.init(), PATIENCE)
        release.set()
        await asyncio.wait_for(closing, PATIENCE)


@pytest.mark.parametrize("handler", [lambda data: data, echo], ids=["def", "async def"])
async def test_clients_that_ask_again_and_again_do_not_hold_up_close(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, handler: Any
) -> None:
    connector = LocalConnector(str(tmp_path / "socket"))
    server = await SimpleServer(connector, handler, drain_timeout=5).init()
    answered: set[SimpleClient] = set()

    async def insist(client: SimpleClient) -> None:
        while True:
            with suppress(ConnectionLost):
                await client.request("again")
                answered.add(client)

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(SimpleClient(connector)) for _ in range(5)]
        insisting = [asyncio.create_task(insist(client)) for client in clients]
        await eventually(lambda: len(answered) == len(clients))
        await asyncio.wait_for(server.close(), PATIENCE)
        assert "not all was delivered" not in logged(caplog)
        for task in insisting:
            task.cancel()
        await asyncio.wait(insisting)


async def test_a_cancellation_that_is_nobodys_does_not_hold_up_close(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    async def disconnect(server: SimpleServer, timeout: float, linger: bool) -> None:
        tries.append(server)
        raise asyncio.CancelledError

    server = await SimpleServer(MemoryConnector(), echo).init()
    with monkeypatch.context() as patch:
        patch.setattr(SimpleServer, "_disconnect", disconnect)
        await asyncio.wait_for(server.close(), PATIENCE)
    assert 1 < len(tries) < 10
    await server._disconnect(1.0, False)
