"""SysVMQ and ipcqueue's System V queue are the same queue."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator

import pytest

from communica_like.queues import SysVMQ
from tests.interop.exchange import Exchange
from tests.interop.items import OBJECTS, Reading
from tests.interop.original import PATIENCE, Original, Raised, needs

needs("ipcqueue")


@pytest.fixture
def mq() -> Iterator[SysVMQ]:
    mq = SysVMQ()
    try:
        yield mq
    finally:
        try:
            mq.unlink()
        except FileNotFoundError:
            pass  # the test's own deed
        mq.close()


@pytest.fixture
def original(mq: SysVMQ) -> Iterator[Original]:
    with Original("sysv", mq.key) as original:
        yield original


class TestBothWays(Exchange):
    ITEMS = OBJECTS


async def test_message_types_of_the_original_count_here(mq: SysVMQ, original: Original) -> None:
    for number, message_type in enumerate([1, 2, 2, 1, 5, 4]):
        await original.ask("put", number, msg_type=message_type)
    assert mq.qsize() == 6
    assert mq.get_nowait(message_type=2) == 1
    assert await mq.get(message_type=-4) == 0
    assert [mq.get_nowait() for _ in range(2)] == [2, 3]
    with pytest.raises(queue.Empty):
        mq.get_nowait(message_type=3)
    assert await mq.get(message_type=-5) == 5
    assert await mq.get(message_type=5) == 4


async def test_our_message_types_count_for_the_original(mq: SysVMQ, original: Original) -> None:
    for number, message_type in enumerate([1, 2, 2, 1, 5, 4]):
        await mq.put(number, message_type=message_type)
    assert await original.ask("qsize") == 6
    assert await original.ask("get_nowait", msg_type=2) == 1
    assert await original.ask("get", msg_type=-4) == 0
    assert [await original.ask("get") for _ in range(2)] == [2, 3]
    with pytest.raises(Raised, match=r"queue\.Empty"):
        await original.ask("get_nowait", msg_type=3)
    assert await original.ask("get", msg_type=-5) == 5
    assert await original.ask("get", msg_type=5) == 4


async def test_a_waiting_get_there_takes_its_type_from_here(mq: SysVMQ, original: Original) -> None:
    original.tell("get", msg_type=7)
    await mq.put("for another", message_type=6)
    await mq.put("served", message_type=7)
    assert await original.answer() == "served"
    assert mq.get_nowait() == "for another"


async def test_a_waiting_get_here_takes_its_type_from_there(mq: SysVMQ, original: Original) -> None:
    waiting = asyncio.create_task(mq.get(message_type=7, timeout=PATIENCE))
    await asyncio.sleep(0)
    assert not waiting.done()
    await original.ask("put", "for another", msg_type=6)
    await original.ask("put", Reading("outside", 1.0), msg_type=7)
    assert await waiting == Reading("outside", 1.0)
    assert await mq.get(timeout=PATIENCE) == "for another"


async def test_full_is_full_on_both_sides(mq: SysVMQ, original: Original) -> None:
    item = b"x" * 1000
    count = 0
    while True:
        try:
            mq.put_nowait(item)
        except queue.Full:
            break
        count += 1
    with pytest.raises(Raised, match=r"queue\.Full"):
        await original.ask("put_nowait", item)
    waiting = asyncio.create_task(mq.put("last", timeout=PATIENCE))
    await asyncio.sleep(0)
    assert [await original.ask("get") for _ in range(count + 1)] == [*[item] * count, "last"]
    await waiting


@pytest.fixture
def free_key() -> Iterator[int]:
    """A key without a queue; one that is there at the end is removed."""
    made = SysVMQ()
    made.unlink()
    made.close()
    yield made.key
    try:
        left = SysVMQ(made.key, create=False)
    except FileNotFoundError:
        return
    left.unlink()
    left.close()


async def test_a_queue_that_the_original_created(free_key: int) -> None:
    with Original("sysv", free_key, 2048) as original:
        await original.ask("put", "from there", msg_type=3)
        async with SysVMQ(free_key, create=False) as mq:
            assert mq.guarantees.largest_item == 2048
            assert await mq.get(message_type=3, timeout=PATIENCE) == "from there"
            await mq.put("from here")
            assert await original.ask("get") == "from here"


async def test_the_original_removes_a_queue_when_it_closes_it(mq: SysVMQ, original: Original) -> None:
    waiting = asyncio.create_task(mq.get(timeout=PATIENCE))
    await asyncio.sleep(0)
    await original.ask("close")
    with pytest.raises(FileNotFoundError):
        await waiting
