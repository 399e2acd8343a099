"""The blocking classes and the originals of which they have the interface share queues, both ways."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from communica_like.blocking import pipes, posixmq, sysvmq
from tests.interop.items import LITERALS, OBJECTS
from tests.interop.original import PATIENCE, Original, Raised, needs
from tests.queues.media import new_name


@pytest.fixture(params=["posix", "sysv"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Original]]:
    """Our queue, and the original's handle on it."""
    needs("ipcqueue")
    mq: Any = posixmq.Queue(new_name()) if request.param == "posix" else sysvmq.Queue()
    try:
        with Original(request.param, mq.name if request.param == "posix" else mq.key) as original:
            yield mq, original
    finally:
        if request.param == "posix":
            mq.unlink()
        mq.close()


async def test_objects_of_many_kinds(pair: tuple[Any, Original]) -> None:
    mq, original = pair
    for item in OBJECTS:
        await original.ask("put", item)
        got = mq.get(timeout=PATIENCE)
        assert (got, type(got)) == (item, type(item))
        mq.put(item, timeout=PATIENCE)
        got = await original.ask("get")
        assert (got, type(got)) == (item, type(item))


async def test_all_pickle_protocols_are_understood(pair: tuple[Any, Original]) -> None:
    mq, original = pair
    for protocol in range(6):
        mq.put(["item", protocol], pickle_protocol=protocol)
        assert await original.ask("get") == ["item", protocol]


async def test_who_waits_is_served(pair: tuple[Any, Original]) -> None:
    mq, original = pair
    original.tell("get")
    mq.put("from here")
    assert await original.answer() == "from here"
    waiting = asyncio.create_task(asyncio.to_thread(mq.get, timeout=PATIENCE))
    while not mq._parked:
        await asyncio.sleep(0.001)
    await original.ask("put", "from there")
    assert await waiting == "from there"


async def test_full_and_empty_are_the_same(pair: tuple[Any, Original]) -> None:
    mq, original = pair
    count = 0
    with pytest.raises(queue.Full):
        while True:
            mq.put_nowait("x" * 900)
            count += 1
    with pytest.raises(Raised, match=r"queue\.Full"):
        await original.ask("put_nowait", "x" * 900)
    assert await original.ask("qattr") == mq.qattr()
    assert await original.ask("qsize") == mq.qsize() == count
    for _ in range(count):
        await original.ask("get")
    with pytest.raises(queue.Empty):
        mq.get_nowait()


async def test_both_let_go_of_a_system_v_queue_in_the_same_way() -> None:
    needs("ipcqueue")
    mq = sysvmq.Queue()
    with Original("sysv", mq.key) as original:
        await original.ask("put", "lost")
        mq.close()
        with pytest.raises(Raised, match="QueueError"):
            await original.ask("get_nowait")
    mq = sysvmq.Queue()
    with Original("sysv", mq.key) as original:
        await original.ask("put", "lost")
        await original.ask("close")
        with pytest.raises(sysvmq.QueueError, match="removed"):
            mq.get()
    mq.close()


async def test_pipes(tmp_path: Path) -> None:
    needs("turberfield-utils")
    with pipes.SimplePipeQueue(tmp_path / "pipe") as pq, Original("pipe", pq.path, True) as original:
        for item in LITERALS:
            await original.ask("put_nowait", item)
            got = pq.get(timeout=PATIENCE)
            assert (got, type(got)) == (item, type(item))
            pq.put_nowait(item)
            got = await original.ask("get")
            assert (got, type(got)) == (item, type(item))


async def test_pipes_to_the_original_for_asyncio(tmp_path: Path) -> None:
    needs("turberfield-utils")
    with pipes.SimplePipeQueue(tmp_path / "pipe") as pq, Original("async_pipe", pq.path) as original:
        for item in LITERALS:
            original.tell("get")
            pq.put_nowait(item)
            assert await original.answer() == item


async def test_pipes_for_asyncio(tmp_path: Path) -> None:
    needs("turberfield-utils")
    async with pipes.PipeQueue(tmp_path / "pipe") as pq:
        with Original("pipe", pq.path, True) as original:
            for item in LITERALS:
                waiting = asyncio.create_task(pq.get(timeout=PATIENCE))
                await original.ask("put_nowait", item)
                assert await waiting == item
                await pq.put(item)
                assert await original.ask("get") == item
