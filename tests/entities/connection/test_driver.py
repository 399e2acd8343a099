"""A conversation over one link after another, and who waits for room in its outbox."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from communica_like import (
    ConnectionLost,
    Limits,
    MemoryConnector,
    MessageTooBig,
    RequestTimeout,
    SimpleClient,
    SimpleServer,
)
from tests.entities.stage import (
    PATIENCE,
    QUICK,
    echo,
    eventually,
    in_virtual_time,
    logged,
    sessions_of,
    simple_pair,
)

SMALL = Limits(outbox=2000, max_message=200_000, chunk=1024, window=80_000, heartbeat=3600)


async def cut_off(entity: Any) -> None:
    """Break the links of *entity* without its knowledge that it was on purpose."""
    for peer in sessions_of(entity):
        assert peer._writer.link is not None
        peer._writer.link.abort()


async def test_a_broken_link_loses_nothing() -> None:
    seen: list[int] = []

    async def handler(data: int) -> int:
        seen.append(data)
        await asyncio.sleep(0)
        return data

    async with simple_pair(handler) as (server, client):
        for round_ in range(5):
            asking = [asyncio.create_task(client.request(round_ * 20 + n)) for n in range(20)]
            await asyncio.sleep(0)
            await cut_off(server if round_ % 2 else client)
            answers = await asyncio.wait_for(asyncio.gather(*asking), PATIENCE)
            assert answers == list(range(round_ * 20, round_ * 20 + 20))
    assert seen == list(range(100))


async def offline_client(limits: Limits = SMALL) -> tuple[MemoryConnector, SimpleClient]:
    connector = MemoryConnector()
    return connector, await SimpleClient(connector, backoff=QUICK, limits=limits).init(wait=False)


@pytest.mark.parametrize("sizes", [[100] * 60, [10, 5000, 10, 3000, 10] * 20, [60_000] * 9 + [10]])
async def test_throws_keep_their_order_however_long_they_wait(sizes: list[int]) -> None:
    connector, client = await offline_client()
    throwing = [
        asyncio.create_task(client.throw([number, "x" * size])) for number, size in enumerate(sizes)
    ]
    await asyncio.sleep(0)
    seen: list[int] = []
    async with SimpleServer(connector, lambda data: seen.append(data[0]), limits=SMALL):
        for number in range(len(sizes), len(sizes) + 20):
            await asyncio.sleep(0)
            throwing.append(asyncio.create_task(client.throw([number, ""])))
        await asyncio.wait_for(asyncio.gather(*throwing), PATIENCE)
        await eventually(lambda: len(seen) == len(throwing))
        await client.close()
    assert seen == list(range(len(throwing)))


async def test_small_requests_start_in_order_and_large_ones_hold_up_nobody() -> None:
    connector, client = await offline_client()
    seen: list[int] = []
    large = [asyncio.create_task(client.request([-n, "x" * 150_000])) for n in range(1, 4)]
    asking = [asyncio.create_task(client.request([number, "x" * 100])) for number in range(60)]
    await asyncio.sleep(0)
    async with SimpleServer(connector, lambda data: seen.append(data[0]), limits=SMALL):
        for number in range(60, 90):
            await asyncio.sleep(0)
            asking.append(asyncio.create_task(client.request([number, ""])))
        await asyncio.wait_for(asyncio.gather(*asking, *large), PATIENCE)
        await client.close()
    assert [number for number in seen if number >= 0] == list(range(90))


@in_virtual_time
async def test_waiting_for_room_has_an_end() -> None:
    _, client = await offline_client()
    waiting = [asyncio.create_task(client.request("x" * 500)) for _ in range(10)]
    await asyncio.sleep(0)
    with pytest.raises(RequestTimeout):
        await asyncio.wait_for(client.request("x" * 500, timeout=0.02), PATIENCE)
    last = asyncio.create_task(client.throw("x" * 500))
    waiting[8].cancel()
    await asyncio.sleep(0)
    assert not last.done()
    await asyncio.wait_for(client.close(0), PATIENCE)
    results = await asyncio.wait_for(asyncio.gather(*waiting, last, return_exceptions=True), PATIENCE)
    assert {type(each).__name__ for each in results} == {"Closed", "CancelledError"}


async def test_cancelled_while_it_waits_for_room_nothing_is_sent() -> None:
    connector, client = await offline_client()
    seen: list[int] = []
    throwing = [asyncio.create_task(client.throw([number, "x" * 500])) for number in range(10)]
    await asyncio.sleep(0)
    for each in throwing[7:9]:
        assert each.cancel()
    async with SimpleServer(connector, lambda data: seen.append(data[0]), limits=SMALL):
        await eventually(lambda: len(seen) == 8)
        await client.close()
    assert seen == [0, 1, 2, 3, 4, 5, 6, 9]


async def test_who_waits_for_room_hears_when_the_client_is_gone() -> None:
    async def never(data: Any) -> None:
        await asyncio.sleep(30)

    connector = MemoryConnector()
    async with SimpleServer(connector, limits=SMALL) as server:
        client = await SimpleClient(connector, never, client_id="c", limits=SMALL).init()
        calls = [asyncio.create_task(server.request("x" * 150_000, client_id="c")) for _ in range(3)]
        calls += [asyncio.create_task(server.throw("x" * 150_000, client_id="c")) for _ in range(4)]
        calls += [asyncio.create_task(server.request("x" * 900, client_id="c")) for _ in range(200)]
        await eventually(lambda: client._pool is not None and not client._pool.idle)
        await client.close(0)
        results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), PATIENCE)
        assert all(each is None or isinstance(each, ConnectionLost) for each in results)
        assert any(isinstance(each, ConnectionLost) and not each.sent for each in results)


async def test_messages_that_are_too_big() -> None:
    async with simple_pair(len, limits=SMALL) as (_, client):
        for call in (client.request, client.throw):
            with pytest.raises(MessageTooBig, match="at most 200000"):
                await call("x" * 200_000)
        assert await client.request("x" * 199_998) == 199_998


@in_virtual_time
async def test_a_silent_link_is_given_up_and_made_again(caplog: pytest.LogCaptureFixture) -> None:
    async with simple_pair(echo, limits=Limits(heartbeat=0.05)) as (_, client):
        [peer] = sessions_of(client)
        assert peer._writer.link is not None
        far: Any = peer._writer.link
        far.other.send = lambda data: None  # the server's words are lost
        assert await asyncio.wait_for(client.request(1), PATIENCE) == 1
    assert "is given up: silent for" in logged(caplog)


@in_virtual_time
async def test_a_session_expires(caplog: pytest.LogCaptureFixture) -> None:
    async def never(data: Any) -> None:
        await asyncio.sleep(30)

    connector = MemoryConnector()
    async with SimpleServer(connector, limits=Limits(resume_window=0.05)) as server:
        client = await SimpleClient(connector, never, client_id="c").init()
        asking = asyncio.create_task(server.request(1, client_id="c"))
        await eventually(lambda: client._pool is not None and not client._pool.idle)
        assert client._keeper is not None
        client._keeper.cancel()
        await cut_off(server)
        await eventually(lambda: [each.connected for each in server.clients] == [False])
        with pytest.raises(ConnectionLost, match="resume window") as caught:
            await asyncio.wait_for(asking, PATIENCE)
        assert caught.value.sent is True
        assert server.clients == []
        await client.close(0)


async def test_garbage_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async with simple_pair(echo) as (_, client):
        [peer] = sessions_of(client)
        assert peer._writer.link is not None
        peer._writer.link.send(b"\xff" * 64)
        await eventually(lambda: "breaks the protocol" in logged(caplog))
        assert await asyncio.wait_for(client.request(1), PATIENCE) == 1
