"""Many clients of one server over kernel queues and pipes, and many one after another."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from communica_like.abc import Connector, Link, LinkReceiver
from tests.connectors.recorder import Recorder, eventually
from tests.private_state import entries_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has them all")


class Echo(Recorder):
    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def data_received(self, data: bytes) -> None:
        self._link.send(data)


async def test_sixty_four_clients_at_once(connector: Connector, state: Path) -> None:
    """All come at the same time, and talk at the same time."""

    async def talk(number: int) -> None:
        near = Recorder()
        link = await connector.connect(near)
        for turn in range(1, 4):
            link.send(bytes([number]) * 5_000)
            assert await near.until(turn * 5_000) == bytes([number]) * 5_000 * turn
        await all_here.wait()
        link.close()
        await near.until_broken()
        assert near.error is None

    echoes: list[Echo] = []

    def accept(link: Link) -> LinkReceiver:
        echoes.append(Echo(link))
        return echoes[-1]

    before = len(os.listdir("/proc/self/fd"))
    listener = await connector.listen(accept)
    all_here = asyncio.Barrier(64)
    async with asyncio.timeout(30):
        await asyncio.gather(*[talk(number) for number in range(64)])
    for echo in echoes:
        await echo.until_broken()
    assert len(echoes) == 64
    await listener.close()
    await eventually(lambda: entries_of(state) == [] and len(os.listdir("/proc/self/fd")) <= before)


@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.chaos)])
async def test_many_one_after_another(connector: Connector, state: Path, count: int) -> None:
    heard: list[Recorder] = []

    def accept(link: Link) -> LinkReceiver:
        heard.append(Recorder())
        return heard[-1]

    before = len(os.listdir("/proc/self/fd"))
    listener = await connector.listen(accept)
    for number in range(count):
        near = Recorder()
        link = await connector.connect(near)
        link.send(b"hello")
        if number % 3:
            await asyncio.sleep(0)
        if number % 5 == 0:
            await near.until(0)
            link.abort()
        else:
            link.close()
        await near.until_broken()
    await eventually(lambda: all(recorder.broken.is_set() for recorder in heard))
    assert 0 < len(heard) <= count
    await eventually(lambda: len(entries_of(state)) == 1)
    await listener.close()
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)
    assert {path.name for path in state.iterdir()} <= {"registry.lock"}
