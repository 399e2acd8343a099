"""One timer, and only the last time that was set."""

from __future__ import annotations

import asyncio

from communica_like.aio.timer import NEVER, DeadlineTimer, clock_of
from communica_like.testing import VirtualClockLoop


async def test_it_rings_once_at_the_time_that_was_set_last() -> None:
    loop = asyncio.get_running_loop()
    rung: asyncio.Queue[float] = asyncio.Queue()
    alarm = DeadlineTimer(lambda: rung.put_nowait(loop.time()))
    began = loop.time()
    alarm.set(began + 60)
    alarm.set(began + 0.01)
    assert alarm.at == began + 0.01
    assert await asyncio.wait_for(rung.get(), 40) >= began + 0.009
    assert alarm.at == NEVER
    assert rung.empty()


async def test_a_time_that_is_over_is_soon_enough() -> None:
    rung = asyncio.Event()
    alarm = DeadlineTimer(rung.set)
    alarm.set(0.0)
    assert not rung.is_set()
    await asyncio.wait_for(rung.wait(), 40)


async def test_never_stops_it() -> None:
    loop = asyncio.get_running_loop()
    rung: list[str] = []
    alarm = DeadlineTimer(lambda: rung.append("rung"))
    alarm.set(loop.time())
    alarm.set(NEVER)
    later = asyncio.Event()
    loop.call_later(0.01, later.set)
    await later.wait()
    assert rung == []


async def test_the_clock_of_a_loop_tells_its_time() -> None:
    loop = asyncio.get_running_loop()
    assert loop.time() <= clock_of(loop)() <= loop.time()
    virtual = VirtualClockLoop()
    try:
        assert clock_of(virtual)() == virtual.time() >= 1_000_000
    finally:
        virtual.close()
