from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import pytest

from communica_like import MemoryConnector, SimpleClient, SimpleServer
from communica_like.entities.signals import stop_signals
from tests.entities.stage import PATIENCE, QUICK, eventually, logged
from tests.entities.test_entity import Stubborn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill() ends processes there")

NUMBERS = [signal.SIGINT, signal.SIGTERM]


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in NUMBERS]


def raise_signal(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", NUMBERS)
async def test_a_signal_stops_all_who_run(number: int) -> None:
    before = handlers()
    connector = MemoryConnector()
    server, client = SimpleServer(connector), SimpleClient(connector, backoff=QUICK)
    running = [asyncio.create_task(server.run()), asyncio.create_task(client.run())]
    await eventually(lambda: client.connected)
    raise_signal(number)
    await asyncio.wait_for(asyncio.gather(*running), PATIENCE)
    assert (server.state, client.state) == ("closed", "closed")
    assert handlers() == before


async def test_one_stops_and_the_other_still_hears_signals() -> None:
    first, second = SimpleServer(MemoryConnector()), SimpleServer(MemoryConnector())
    running = [asyncio.create_task(each.run()) for each in (first, second)]
    await eventually(lambda: first.state == second.state == "running")
    await asyncio.wait_for(second.wait_stop(), PATIENCE)
    raise_signal(signal.SIGTERM)
    await asyncio.wait_for(asyncio.gather(*running), PATIENCE)


async def test_the_second_signal_cuts_closing_short(caplog: pytest.LogCaptureFixture) -> None:
    handler, connector = Stubborn(), MemoryConnector()
    server = SimpleServer(connector, handler)
    running = asyncio.create_task(server.run())
    await eventually(lambda: server.state == "running")
    async with SimpleClient(connector, backoff=QUICK) as client:
        await client.throw(1)
        await asyncio.wait_for(handler.started.wait(), PATIENCE)
        raise_signal(signal.SIGTERM)
        await eventually(lambda: server.state == "closing")
        raise_signal(signal.SIGTERM)
        await asyncio.wait_for(running, PATIENCE)
        assert server.state == "closed"
        handler.let_go.set()
        await client.close(0)
    assert "second signal" in logged(caplog)


async def test_former_handlers_come_back() -> None:
    def mine(*_: object) -> None: ...

    before = handlers()
    for number in NUMBERS:
        signal.signal(number, mine)
    try:
        told: list[int] = []
        with stop_signals(lambda: told.append(1)):
            with stop_signals(lambda: told.append(2)):
                raise_signal(signal.SIGINT)
                await eventually(lambda: len(told) == 2)
            raise_signal(signal.SIGTERM)
            await eventually(lambda: len(told) == 3)
        assert told == [1, 2, 1]
        assert handlers() == [mine, mine]
    finally:
        for number, handler in zip(NUMBERS, before, strict=True):
            signal.signal(number, handler)


async def test_only_the_main_thread_looks_after_signals() -> None:
    before = handlers()

    async def main() -> None:
        with stop_signals(lambda: None):
            assert handlers() == before

    await asyncio.to_thread(asyncio.run, main())
