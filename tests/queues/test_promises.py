"""What every queue keeps, on every medium."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from communica_like.exceptions import Closed, MessageTooBig, SerializerError
from communica_like.serializers import JsonSerializer, RawSerializer
from tests.queues.cancelled import get_cancelled, put_cancelled
from tests.queues.media import MEDIA, Medium

PATIENCE = 40.0


@pytest.fixture(params=MEDIA)
def medium(request: pytest.FixtureRequest) -> Iterator[Medium]:
    with MEDIA[request.param]() as medium:
        yield medium


@pytest.fixture(params=[name for name in MEDIA if name != "memory"])
def shared(request: pytest.FixtureRequest) -> Iterator[Medium]:
    """A medium whose two ends are two objects, as they are in two processes."""
    with MEDIA[request.param]() as medium:
        yield medium


ITEMS: list[Any] = [None, True, 5, -1.5, "text\nof two lines", b"bytes", (1, 2), [3, [4]], {"a": {1, 2}}]


async def test_any_object_in_order(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    taking = asyncio.create_task(_take(reader, len(ITEMS)))
    for item in ITEMS:
        await writer.put(item)
    assert await asyncio.wait_for(taking, PATIENCE) == ITEMS
    assert reader.qsize() == 0


def _fill(writer: Any) -> int:
    """Put numbers until it is full; return how many."""
    for number in range(10_000):
        try:
            writer.put_nowait(number)
        except queue.Full:
            assert number >= 5
            return number
    raise AssertionError("it is never full")


async def _take(queue_: Any, count: int) -> list[Any]:
    return [await queue_.get() for _ in range(count)]


async def test_full_and_empty(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    with pytest.raises(queue.Empty):
        reader.get_nowait()
    assert reader.qsize() == 0
    count = _fill(writer)
    assert reader.qsize() == count
    assert writer.guarantees.capacity in (count, None)
    with pytest.raises(queue.Full):
        writer.put_nowait("one more")
    with pytest.raises(queue.Full):
        await writer.put("one more", timeout=0)
    with pytest.raises(queue.Full):
        await writer.put("one more", timeout=0.01)
    assert [reader.get_nowait() for _ in range(count)] == list(range(count))
    with pytest.raises(queue.Empty):
        await reader.get(timeout=0)
    with pytest.raises(queue.Empty):
        await reader.get(timeout=0.01)
    with pytest.raises(queue.Empty):
        await reader.get(timeout=-1)


async def test_waiting_ends_when_the_time_has_come(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    getting = asyncio.create_task(reader.get(timeout=PATIENCE))
    await asyncio.sleep(0)
    writer.put_nowait("item")
    assert await getting == "item"
    count = _fill(writer)
    putting = asyncio.create_task(writer.put(7, timeout=PATIENCE))
    await asyncio.sleep(0)
    assert [reader.get_nowait() for _ in range(3)] == [0, 1, 2]
    await putting
    assert [reader.get_nowait() for _ in range(count - 2)] == [*range(3, count), 7]


async def test_those_who_wait_are_served_in_their_order(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    got: list[tuple[int, Any]] = []

    async def get(number: int) -> None:
        got.append((number, await reader.get()))

    getting = []
    for number in range(10):
        getting.append(asyncio.create_task(get(number)))
        await asyncio.sleep(0)
    for item in range(10):
        await writer.put(item)
    await asyncio.wait_for(asyncio.gather(*getting), PATIENCE)
    assert got == [(number, number) for number in range(10)]

    count = _fill(writer)
    putting = []
    for item in range(count, count + 10):
        putting.append(asyncio.create_task(writer.put(item)))
        await asyncio.sleep(0)
    assert await asyncio.wait_for(_take(reader, count + 10), PATIENCE) == list(range(count + 10))
    await asyncio.gather(*putting)


async def test_a_late_comer_does_not_overtake(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    first = asyncio.create_task(reader.get())
    await asyncio.sleep(0)
    writer.put_nowait(1)
    writer.put_nowait(2)
    assert await reader.get() == 2
    assert await first == 1


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.chaos)])
async def test_cancelled_gets_and_puts_lose_and_double_nothing(medium: Medium, count: int) -> None:
    writer, reader = medium.open(), medium.open()

    both = asyncio.gather(get_cancelled(reader, count), put_cancelled(writer, range(count)))
    got, _ = await asyncio.wait_for(both, 5 * PATIENCE)
    assert got == list(range(count))
    assert reader.qsize() == 0


async def test_gets_whose_time_is_over_lose_nothing(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    got: list[int] = []

    async def read() -> None:
        turn = 0
        while len(got) < 1000:
            turn += 1
            try:
                got.append(await reader.get(timeout=0.0001 * (turn % 3)))
            except queue.Empty:
                await asyncio.sleep(0)

    reading = asyncio.create_task(read())
    for number in range(1000):
        await writer.put(number)
        if number % 7 == 0:
            await asyncio.sleep(0.0002)
    await asyncio.wait_for(reading, PATIENCE)
    assert got == list(range(1000))


async def test_whoever_is_called_up_and_cancelled_passes_it_on(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    first, second = asyncio.create_task(reader.get()), asyncio.create_task(reader.get())
    await asyncio.sleep(0)
    writer.put_nowait("item")
    first.cancel()
    assert await asyncio.wait_for(second, PATIENCE) == "item"
    assert first.cancelled()


async def test_two_readers_share_the_items(medium: Medium) -> None:
    writer, readers = medium.open(), [medium.open(), medium.open()]
    got: list[int] = []

    async def read(reader: Any) -> None:
        async for item in reader:
            got.append(item)  # noqa: PERF401 (not all at once)

    reading = [asyncio.create_task(read(reader)) for reader in readers]
    for number in range(2000):
        await writer.put(number)
    async with asyncio.timeout(PATIENCE):
        while len(got) < 2000:
            await asyncio.sleep(0.001)
    for reader in readers:
        reader.close()
    await asyncio.wait_for(asyncio.gather(*reading), PATIENCE)
    assert sorted(got) == list(range(2000))


async def test_the_methods_that_do_not_wait_work_in_threads(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()

    def write() -> None:
        for number in range(500):
            while True:
                try:
                    writer.put_nowait(number)
                    break
                except queue.Full:
                    started.wait(0.0001)

    started = threading.Event()
    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert await asyncio.wait_for(_take(reader, 500), PATIENCE) == list(range(500))
    finally:
        thread.join()


async def test_who_waits_for_room_hears_of_a_thread_that_takes(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    got: list[int] = []

    def read() -> None:
        while len(got) < 100 and not failed.wait(0.0001):
            with contextlib.suppress(queue.Empty):
                got.append(reader.get_nowait())

    failed = threading.Event()
    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(100):
            await writer.put(number, timeout=PATIENCE)
    except BaseException:
        failed.set()
        raise
    finally:
        thread.join()
    assert got == list(range(100))


async def test_what_is_too_big_or_cannot_be_dumped(medium: Medium) -> None:
    writer, reader = medium.open(RawSerializer()), medium.open(RawSerializer())
    largest = writer.guarantees.largest_item
    await writer.put(bytes(largest))
    with pytest.raises(MessageTooBig, match=rf"{largest + 1} bytes.*\b{largest}\b"):
        await writer.put(bytes(largest + 1))
    with pytest.raises(MessageTooBig):
        writer.put_nowait(bytes(largest + 1))
    with pytest.raises(SerializerError, match="cannot be dumped"):
        await writer.put("text")
    assert reader.get_nowait() == bytes(largest)
    assert reader.qsize() == 0


async def test_garbage_is_told_and_gone(shared: Medium) -> None:
    writer, reader = shared.open(RawSerializer()), shared.open(JsonSerializer())
    writer.put_nowait(b"{garbage")
    writer.put_nowait(b"1")
    with pytest.raises(SerializerError, match="8 bytes in the queue cannot be loaded"):
        await reader.get()
    assert await reader.get() == 1


async def test_close_ends_all_that_wait_and_all_that_follows(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    getting = [asyncio.create_task(reader.get()), asyncio.create_task(anext(reader))]
    await asyncio.sleep(0)
    reader.close()
    with pytest.raises(Closed):
        await asyncio.wait_for(getting[0], PATIENCE)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(getting[1], PATIENCE)
    reader.close()
    for call in (reader.get_nowait, reader.qsize, lambda: reader.put_nowait(1)):
        with pytest.raises(Closed):
            call()
    with pytest.raises(Closed):
        await reader.get()
    with pytest.raises(Closed):
        await reader.put(1)
    if writer is not reader:
        _fill(writer)
        putting = asyncio.create_task(writer.put(5))
        await asyncio.sleep(0)
        writer.close()
        with pytest.raises(Closed):
            await asyncio.wait_for(putting, PATIENCE)


async def test_as_a_context_manager_it_is_closed_at_the_end(medium: Medium) -> None:
    async with medium.open() as opened:
        opened.put_nowait(1)
        assert await opened.get() == 1
    assert opened.closed


async def test_nothing_is_watched_for_long_when_nobody_waits(medium: Medium) -> None:
    writer, reader = medium.open(), medium.open()
    selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    before = len(selector.get_map())
    for _ in range(3):
        with pytest.raises(queue.Empty):
            await reader.get(timeout=0.001)
    _fill(writer)
    with pytest.raises(queue.Full):
        await writer.put(5, timeout=0.001)
    assert [reader.get_nowait() for _ in range(3)] == [0, 1, 2]
    async with asyncio.timeout(PATIENCE):
        while len(selector.get_map()) > before:
            await asyncio.sleep(0)
