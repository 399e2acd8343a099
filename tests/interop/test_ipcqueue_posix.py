"""PosixMQ and ipcqueue's POSIX queue are the same queue."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator

import pytest

from communica_like.queues import PosixMQ
from tests.interop.exchange import Exchange
from tests.interop.items import OBJECTS
from tests.interop.original import PATIENCE, Original, Raised, needs
from tests.queues.media import new_name

needs("ipcqueue")


@pytest.fixture
def mq() -> Iterator[PosixMQ]:
    mq = PosixMQ(new_name(), 10, 1024)
    try:
        yield mq
    finally:
        mq.unlink()
        mq.close()


@pytest.fixture
def original(mq: PosixMQ) -> Iterator[Original]:
    with Original("posix", mq.name) as original:
        yield original


class TestBothWays(Exchange):
    ITEMS = OBJECTS


async def test_priorities_of_the_original_count_here(mq: PosixMQ, original: Original) -> None:
    for number, priority in enumerate([0, 3, 1, 31, 3, 0]):
        await original.ask("put", number, priority=priority)
    assert mq.qsize() == 6
    assert [mq.get_nowait() for _ in range(6)] == [3, 1, 4, 2, 0, 5]


async def test_our_priorities_count_for_the_original(mq: PosixMQ, original: Original) -> None:
    for number, priority in enumerate([0, 3, 1, 31, 3, 0]):
        await mq.put(number, priority=priority)
    assert await original.ask("qsize") == 6
    assert [await original.ask("get_nowait") for _ in range(6)] == [3, 1, 4, 2, 0, 5]


async def test_full_is_full_on_both_sides(mq: PosixMQ, original: Original) -> None:
    for number in range(10):
        await mq.put(number)
    with pytest.raises(Raised, match=r"queue\.Full"):
        await original.ask("put", 10, block=False)
    with pytest.raises(queue.Full):
        mq.put_nowait(10)
    waiting = asyncio.create_task(mq.put(10, timeout=PATIENCE))
    await asyncio.sleep(0)
    assert [await original.ask("get") for _ in range(11)] == list(range(11))
    await waiting
    with pytest.raises(Raised, match=r"queue\.Empty"):
        await original.ask("get", block=False)


async def test_a_queue_that_the_original_created() -> None:
    name = new_name()
    with Original("posix", name, 3, 700) as original:
        try:
            await original.ask("put", "from there", priority=7)
            async with PosixMQ(name, create=False) as mq:
                assert (mq.guarantees.capacity, mq.guarantees.largest_item) == (3, 700)
                assert await mq.get(timeout=PATIENCE) == "from there"
                await mq.put("from here")
                assert await original.ask("get") == "from here"
        finally:
            await original.ask("unlink")


async def test_items_outlive_the_original(mq: PosixMQ) -> None:
    with Original("posix", mq.name) as original:
        await original.ask("put", ["kept"])
        await original.ask("close")
    assert mq.get_nowait() == ["kept"]
