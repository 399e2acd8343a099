"""What System V queues do beside what all do: types, keys, limits, and waiting without a descriptor."""

from __future__ import annotations

import asyncio
import os
import pickle
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sysv_ipc

from communica_like import features
from communica_like.exceptions import Closed, FeatureNotAvailable, QueueLimitReached
from communica_like.queues import SysVMQ
from communica_like.queues.sysv.type_waiters import TypeWaiters
from communica_like.serializers import RawSerializer

PATIENCE = 40.0


@pytest.fixture
def mq() -> Iterator[SysVMQ]:
    mq = SysVMQ()
    yield mq
    mq.close()
    try:
        mq.unlink()
    except FileNotFoundError:
        pass


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


def put_some(mq: SysVMQ) -> None:
    for item, message_type in ((1, 3), (2, 1), (3, 5), (4, 3), (5, 2)):
        mq.put_nowait(item, message_type=message_type)


@pytest.mark.parametrize(
    "wanted, found",
    [
        ([0] * 5, [1, 2, 3, 4, 5]),
        ([3, 3, 0, 0, 0], [1, 4, 2, 3, 5]),
        ([-3] * 4, [2, 5, 1, 4]),
        ([-(2**31) + 1] * 5, [2, 5, 1, 4, 3]),
        ([5, -1], [3, 2]),
    ],
)
async def test_readers_choose_by_type(mq: SysVMQ, wanted: list[int], found: list[int]) -> None:
    put_some(mq)
    assert [mq.get_nowait(message_type=message_type) for message_type in wanted] == found


async def test_each_who_waits_gets_its_type(mq: SysVMQ) -> None:
    getting = []
    for message_type in (5, 3, 2, 3, -1):
        getting.append(asyncio.create_task(mq.get(message_type=message_type, timeout=PATIENCE)))
        await asyncio.sleep(0)
    put_some(mq)
    assert await asyncio.gather(*getting) == [3, 1, 5, 4, 2]


async def test_a_type_that_nobody_put_is_not_there(mq: SysVMQ) -> None:
    put_some(mq)
    for message_type in (4, 2**31 - 1):
        with pytest.raises(queue.Empty):
            mq.get_nowait(message_type=message_type)
        with pytest.raises(queue.Empty):
            await mq.get(message_type=message_type, timeout=0.02)
    assert mq.qsize() == 5


async def test_a_reader_of_one_type_sleeps_while_others_come_and_go(mq: SysVMQ) -> None:
    getting = asyncio.create_task(mq.get(message_type=7))
    for number in range(50):
        await mq.put(number, message_type=2)
        assert await mq.get(message_type=2) == number
    assert not getting.done()
    await mq.put("seven", message_type=7)
    assert await asyncio.wait_for(getting, PATIENCE) == "seven"


async def test_readers_of_many_types_do_not_cost_a_thread_each(mq: SysVMQ) -> None:
    before = threading.active_count()
    getting = [asyncio.create_task(mq.get(message_type=number)) for number in range(1, 101)]
    await asyncio.sleep(0)
    assert threading.active_count() - before <= 8
    for number in range(1, 101):
        await mq.put(number, message_type=number)
    assert await asyncio.wait_for(asyncio.gather(*getting), PATIENCE) == list(range(1, 101))
    assert list(mq._waiters._by_type) == [0]


@pytest.mark.parametrize("message_type", [0, -1, 2**31])
def test_types_are_positive(mq: SysVMQ, message_type: int) -> None:
    with pytest.raises(ValueError, match="a message type must be a number from 1"):
        mq.put_nowait("item", message_type=message_type)


@pytest.mark.parametrize("message_type", [2**31, -(2**31) - 1, 2**70])
async def test_types_to_get_have_32_bits(mq: SysVMQ, message_type: int) -> None:
    mq.put_nowait("item")
    with pytest.raises(ValueError, match="a message type to get must be a number from"):
        mq.get_nowait(message_type=message_type)
    with pytest.raises(ValueError, match="a message type to get must be a number from"):
        await mq.get(message_type=message_type)
    assert mq.get_nowait(message_type=-(2**31)) == "item"


async def test_an_item_comes_after_a_silence_and_meanwhile_nothing_happens(mq: SysVMQ) -> None:
    getting = asyncio.create_task(mq.get())
    for thread in threading.enumerate():
        if "sysv" in thread.name:
            break
    else:
        await until(lambda: any("sysv" in thread.name for thread in threading.enumerate()))
    shares = []
    for _ in range(3):  # what this process did before may take its time to end
        before, began = time.process_time(), time.monotonic()
        await asyncio.sleep(0.3)  # not to synchronize: it is the silence that is measured
        shares.append((time.process_time() - before) / (time.monotonic() - began))
        if shares[-1] < 0.1:
            break
    assert min(shares) < 0.1
    other = SysVMQ(mq.key)
    other.put_nowait("after the silence")
    other.close()
    assert await asyncio.wait_for(getting, PATIENCE) == "after the silence"


async def test_empty_items_are_not_lost_though_a_watcher_takes_them(mq: SysVMQ) -> None:
    raw = SysVMQ(mq.key, serializer=RawSerializer())
    reader = SysVMQ(mq.key, serializer=RawSerializer())
    for _ in range(3):
        with pytest.raises(queue.Empty):
            await reader.get(timeout=0.01)  # whose watcher sleeps on
        raw.put_nowait(b"", message_type=4)
        await until(lambda: reader._waiters.empty)
        assert reader.qsize() == 1
        with pytest.raises(queue.Empty):
            reader.get_nowait(message_type=3)
        assert reader.get_nowait(message_type=-4) == b""
        getting = asyncio.create_task(reader.get())
        await until(lambda: reader._waiters._watchers[0]._armed.is_set() is False)
        raw.put_nowait(b"")
        assert await asyncio.wait_for(getting, PATIENCE) == b""
    with pytest.raises(queue.Empty):
        await reader.get(timeout=0.01)
    raw.put_nowait(b"", message_type=4)
    await until(lambda: reader._waiters.empty)
    reader.close()
    assert raw.get_nowait(message_type=4) == b""
    raw.close()


@pytest.mark.parametrize("message_type", [0, 5])
async def test_it_is_removed_just_before_a_watcher_looks(
    mq: SysVMQ, monkeypatch: pytest.MonkeyPatch, message_type: int
) -> None:
    sleep = TypeWaiters._sleep

    def unlink_and_sleep(waiters: TypeWaiters, message_type: int) -> None:
        mq.unlink()
        sleep(waiters, message_type)

    monkeypatch.setattr(TypeWaiters, "_sleep", unlink_and_sleep)
    with pytest.raises(FileNotFoundError):
        await mq.get(message_type=message_type, timeout=PATIENCE)


async def test_what_a_watcher_takes_after_the_end_goes_back(mq: SysVMQ) -> None:
    raw = SysVMQ(mq.key, serializer=RawSerializer())
    reader = SysVMQ(mq.key, serializer=RawSerializer())
    with pytest.raises(queue.Empty):
        await reader.get(timeout=0.01)
    reader.close()
    raw.put_nowait(b"", message_type=9)
    watcher = reader._waiters._watchers[0]
    await until(lambda: not watcher._thread.is_alive())
    assert await raw.get(message_type=9, timeout=PATIENCE) == b""
    raw.close()


async def test_removal_ends_all_that_wait(mq: SysVMQ) -> None:
    getting = [asyncio.create_task(mq.get()), asyncio.create_task(mq.get(message_type=5))]
    await until(lambda: sum("sysv" in thread.name for thread in threading.enumerate()) == 2)
    mq.unlink()
    for task in getting:
        with pytest.raises(FileNotFoundError, match=f"queue {mq.key} was removed"):
            await asyncio.wait_for(task, PATIENCE)
    for call in (mq.get_nowait, mq.qsize, lambda: mq.put_nowait(1), mq.unlink):
        with pytest.raises(FileNotFoundError):
            call()
    with pytest.raises(FileNotFoundError):
        SysVMQ(mq.key, create=False)
    mq.close()
    with pytest.raises(Closed):
        mq.guarantees  # noqa: B018


def test_it_stays_in_the_kernel_with_its_size(mq: SysVMQ) -> None:
    mq.put_nowait("item")
    small = SysVMQ(mq.key, 2000)
    assert small.guarantees.largest_item == 2000
    assert small.guarantees.persistent
    assert small.guarantees.message_types
    small.close()
    again = SysVMQ(mq.key)
    assert again.guarantees.largest_item == 2000
    assert again.get_nowait() == "item"
    again.close()


def test_a_new_queue_has_a_free_key_and_is_its_owner_s_alone() -> None:
    made = [SysVMQ(key) for key in (None, 0, None)]
    try:
        assert len({mq.key for mq in made}) == 3
        for mq in made:
            assert 0 < mq.key < 2**31
            assert sysv_ipc.MessageQueue(mq.key).mode & 0o777 == 0o600
    finally:
        for mq in made:
            mq.unlink()
            mq.close()


@pytest.mark.parametrize("key", [-1, 2**31])
def test_keys(key: int) -> None:
    with pytest.raises(ValueError, match="a key must be None, or a number from 1"):
        SysVMQ(key)


def test_what_is_in_it_is_what_ipcqueue_would_have_written(mq: SysVMQ) -> None:
    item = {"text": (1, None)}
    mq.put_nowait(item, message_type=6)
    raw = sysv_ipc.MessageQueue(mq.key)
    assert raw.receive(False) == (pickle.dumps(item, 1), 6)
    raw.send(pickle.dumps(item, 4), False, 2)
    assert mq.get_nowait(message_type=2) == item


def test_limits_are_named(mq: SysVMQ) -> None:
    with open("/proc/sys/kernel/msgmnb", encoding="ascii") as file:
        allowed = int(file.read())
    if os.geteuid() == 0 and _may_exceed(mq):
        pytest.skip("this process may have queues of any size")
    with pytest.raises(QueueLimitReached, match=rf"allows {allowed} each: raise kernel.msgmnb"):
        SysVMQ(mq.key, 10**9)
    with pytest.raises(ValueError, match="at least 1"):
        SysVMQ(mq.key, -1)


@pytest.mark.parametrize("max_bytes", [2**31, 2**32 + 100, 2**40])
def test_sizes_beyond_what_the_kernel_counts(mq: SysVMQ, max_bytes: int) -> None:
    before = mq.guarantees
    with pytest.raises(QueueLimitReached, match=f"cannot hold {max_bytes} bytes.*kernel.msgmnb"):
        SysVMQ(mq.key, max_bytes)
    assert mq.guarantees == before


@pytest.mark.parametrize("options", [{}, {"exclusive": True}])
def test_a_queue_that_cannot_have_its_size_is_not_left_behind(options: dict[str, Any]) -> None:
    free = SysVMQ()
    free.unlink()
    for max_bytes, error in ((2**31, QueueLimitReached), (0, ValueError)):
        with pytest.raises(error):
            SysVMQ(free.key, max_bytes, **options)
        with pytest.raises(FileNotFoundError):
            SysVMQ(free.key, create=False)
    free.close()


def test_a_new_queue_that_cannot_have_its_size_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    free = SysVMQ()
    free.unlink()
    monkeypatch.setattr("secrets.randbelow", lambda below: free.key - 1)
    with pytest.raises(QueueLimitReached):
        SysVMQ(None, 2**31)
    with pytest.raises(FileNotFoundError):
        SysVMQ(free.key, create=False)
    free.close()


def _may_exceed(mq: SysVMQ) -> bool:
    try:
        sysv_ipc.MessageQueue(mq.key).max_size = 10**9
    except sysv_ipc.PermissionsError:
        return False
    return True


def test_the_number_of_queues_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sysv_ipc, "MessageQueue", full)
    with open("/proc/sys/kernel/msgmni", encoding="ascii") as file:
        allowed = int(file.read())
    with pytest.raises(QueueLimitReached, match=rf"allows {allowed}: raise kernel.msgmni with sysctl"):
        SysVMQ(12345)


def test_without_sysv_ipc_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str) -> Any:
        raise ImportError(f"no module {module}")

    monkeypatch.setattr(features, "import_module", missing)
    with pytest.raises(FeatureNotAvailable, match=r"pip install 'sysv-ipc.*\[sysvmq\]"):
        SysVMQ(1)
