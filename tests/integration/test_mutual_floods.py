"""Both sides throw and request like mad, with handlers that call back: all of it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from communica_like import (
    Connector,
    Context,
    Limits,
    LocalConnector,
    MemoryConnector,
    SimpleClient,
    SimpleServer,
)
from communica_like.testing import run_with_virtual_clock

SMALL_WINDOWS = Limits(window=160 * 1024, replay=16 * 1024, outbox=32 * 1024)


async def flood(connector: Connector, limits: Limits, count: int, *, nested: bool, seconds: float) -> None:
    caught: dict[str, list[int]] = {"server": [], "client": []}

    async def at_server(data: list[Any], context: Context) -> int:
        kind, number, _ = data
        if kind == "throw":
            caught["server"].append(number)
        if kind == "ask":
            assert await server.request(["leaf", number, ""], client_id=context.client_id) == number
        await asyncio.sleep(0)
        return int(number)

    async def at_client(data: list[Any]) -> int:
        kind, number, _ = data
        if kind == "throw":
            caught["client"].append(number)
        if kind == "ask":
            assert await client.request(["leaf", number, ""]) == number
        await asyncio.sleep(0)
        return int(number)

    server = SimpleServer(connector, at_server, limits=limits, drain_timeout=1)
    client = SimpleClient(connector, at_client, limits=limits, drain_timeout=1)

    async def throw(who: SimpleServer | SimpleClient) -> None:
        for number in range(count):
            await who.throw(["throw", number, "x" * 500])

    async with server, client:
        asks = [
            who.request(["ask" if nested else "leaf", number, "y" * (200_000 if number % 300 == 0 else 500)])
            for number in range(count)
            for who in (server, client)
        ]
        async with asyncio.timeout(seconds):
            answers = await asyncio.gather(*asks, throw(server), throw(client))
        assert answers[:-2] == [number for number in range(count) for _ in "sc"]
        assert caught == {"server": list(range(count)), "client": list(range(count))}


@pytest.mark.parametrize("nested", [False, True])
async def test_within_the_windows(nested: bool, folder: Path) -> None:
    connector = LocalConnector(str(folder / "socket"))
    await flood(connector, Limits(), 1_500, nested=nested, seconds=30)


async def test_far_beyond_the_windows(folder: Path) -> None:
    connector = LocalConnector(str(folder / "socket"))
    await flood(connector, SMALL_WINDOWS, 1_500, nested=False, seconds=30)


@pytest.mark.xfail(reason="both windows fill with handlers that wait for each other's", raises=TimeoutError)
@pytest.mark.parametrize(
    ("limits", "count"), [(SMALL_WINDOWS, 400), pytest.param(Limits(), 5_000, marks=pytest.mark.chaos)]
)
def test_callbacks_far_beyond_the_windows(limits: Limits, count: int) -> None:
    run_with_virtual_clock(flood(MemoryConnector(), limits, count, nested=True, seconds=3600))
