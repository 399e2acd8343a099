from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from communica_like.entities.handling.handlers import Handler
from communica_like.entities.handling.tasks import EagerTaskPool, warn_if_slow
from communica_like.serializers import JsonSerializer
from tests.entities.stage import echo, eventually, first_step, logged

HANDLER = Handler(echo, JsonSerializer())


async def start(pool: EagerTaskPool, coroutine: Any) -> None:
    def step() -> None:
        host = pool.spare or pool.park()
        first_step(host, coroutine, contextvars.copy_context(), lambda host, result, error: pool.ended(host))
        pool.taken(host, HANDLER)

    asyncio.get_running_loop().call_soon(step)
    await asyncio.sleep(0)


async def test_idle_and_busy() -> None:
    pool = EagerTaskPool()
    await pool.wait_idle()
    first, second = asyncio.Event(), asyncio.Event()
    await start(pool, first.wait())
    await start(pool, second.wait())
    waiting = [asyncio.create_task(pool.wait_idle()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    first.set()
    await asyncio.sleep(0)
    assert not waiting[0].done()
    second.set()
    await asyncio.wait_for(waiting[0], 40)
    assert pool.idle
    await pool.close(1)


async def test_close_cancels_all_and_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    pool = EagerTaskPool()
    for _ in range(3):
        await start(pool, asyncio.sleep(30))
    pool.park()
    await pool.close(5)
    assert pool.idle
    assert pool.spare is None
    assert asyncio.all_tasks() == before
    await pool.close(5)


async def test_who_does_not_end_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                pass

    before = asyncio.all_tasks()
    pool = EagerTaskPool()
    await start(pool, stubborn())
    await pool.close(0.001)
    await pool.close(0.001)
    assert logged(caplog).count(f"{HANDLER.name} does not end though it was cancelled") == 1
    release.set()
    await eventually(lambda: asyncio.all_tasks() == before)
    assert pool.idle


def test_slow_is_more_than_a_tenth_of_a_second(caplog: pytest.LogCaptureFixture) -> None:
    warn_if_slow(HANDLER, 0.1)
    assert caplog.records == []
    warn_if_slow(HANDLER, 0.2)
    assert f"{HANDLER.name} held up the event loop for 200 ms" in logged(caplog)
