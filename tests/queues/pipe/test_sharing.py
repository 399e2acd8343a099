"""Named pipes that several tasks, threads and processes wait at, and are killed at."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time

import pytest

from communica_like.exceptions import Closed, SerializerError
from communica_like.queues import PipeQueue
from communica_like.queues.pipe.descriptors import PipePeek
from tests.queues.cancelled import get_cancelled
from tests.queues.pipe.stage import PATIENCE, all_of, fill, program

# -- waiting, cancelling, closing


async def test_cancelled_gets_lose_nothing_of_10_000_items(pipe: PipeQueue) -> None:
    reading = asyncio.create_task(get_cancelled(pipe, 10_000))
    for number in range(10_000):
        await pipe.put(number)
        if number % 100 == 0:
            await asyncio.sleep(0)
    assert await asyncio.wait_for(reading, PATIENCE) == list(range(10_000))


async def test_close_wakes_all_and_nothing_is_watched(pipe: PipeQueue) -> None:
    selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    before = len(selector.get_map())
    async with PipeQueue(pipe.path) as other:
        tasks = [asyncio.create_task(other.get()) for _ in range(3)]
        await asyncio.sleep(0)
        fill(pipe)
        tasks += [asyncio.create_task(other.put("x" * 3000)) for _ in range(3)]
        tasks[0].cancel()
        await asyncio.sleep(0)
        other.close()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(isinstance(each, Closed) for each in results[3:])
    assert len(selector.get_map()) == before
    with pytest.raises(Closed):
        other.qsize()


async def test_threads(pipe: PipeQueue) -> None:
    got: list[list[int]] = [[], []]
    failures: list[BaseException] = []

    def write(first: int) -> None:
        for number in range(first, first + 1000):
            put_soon(pipe, number)

    def read(mine: list[int]) -> None:
        try:
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                try:
                    item = pipe.get_nowait()
                except queue.Empty:
                    time.sleep(0.0001)
                    continue
                if item is None:
                    return
                mine.append(item)
            raise TimeoutError
        except BaseException as exc:
            failures.append(exc)

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 1000)]
    readers = [threading.Thread(target=read, args=(mine,)) for mine in got]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        await asyncio.to_thread(thread.join, PATIENCE)
    for _ in readers:
        await pipe.put(None)
    for thread in readers:
        await asyncio.to_thread(thread.join, PATIENCE)
    assert not failures
    assert sorted(got[0] + got[1]) == list(range(2000))


def put_soon(pipe: PipeQueue, item: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return pipe.put_nowait(item)
        except queue.Full:
            time.sleep(0.0001)
    raise TimeoutError


# -- processes


async def test_items_of_two_writers_do_not_mix(pipe: PipeQueue) -> None:
    with program("write", pipe.path, "a", 500) as first, program("write", pipe.path, "b", 500) as second:
        got = [await pipe.get(timeout=PATIENCE) for _ in range(1000)]
        assert [await first.line(), await second.line()] == ["done", "done"]
    for name in "ab":
        mine = [item for item in got if item[0] == name]
        assert mine == [(name, number, name * (number * 37 % 4000)) for number in range(500)]


async def test_two_processes_share_the_work(pipe: PipeQueue) -> None:
    with program("read", pipe.path) as first, program("read", pipe.path) as second:
        assert [await first.line(), await second.line()] == ["ready", "ready"]
        for number in range(2000):
            await pipe.put(number, timeout=PATIENCE)
        for _ in range(2):
            await pipe.put(None, timeout=PATIENCE)
        got = [[int(line) for line in await child.rest()] for child in (first, second)]
    assert sorted(got[0] + got[1]) == list(range(2000))
    assert all(numbers == sorted(numbers) for numbers in got)


async def test_a_writer_that_is_killed_leaves_whole_items(pipe: PipeQueue) -> None:
    with program("write", pipe.path, "a", 1_000_000) as child:
        got = [await pipe.get(timeout=PATIENCE) for _ in range(50)]
        await child.kill()
        got += all_of(pipe)
    assert [item[1] for item in got] == list(range(len(got)))
    # The pipe has not ended with its writer.
    getting = asyncio.create_task(pipe.get(timeout=PATIENCE))
    await asyncio.sleep(0)
    pipe.put_nowait("next")
    assert await getting == "next"


async def test_half_an_item_of_a_killed_writer_spoils_one_item(pipe: PipeQueue) -> None:
    with program("half", pipe.path) as child:
        assert await child.line() == "done"
    pipe.put_nowait("spoilt")
    pipe.put_nowait("next")
    with pytest.raises(SerializerError):
        await pipe.get(timeout=PATIENCE)
    assert await pipe.get(timeout=PATIENCE) == "next"


async def test_a_reader_that_is_killed_takes_nothing_along(pipe: PipeQueue) -> None:
    for _ in range(3):
        with program("wait", pipe.path) as child:
            assert await child.line() == "waiting"
            await child.kill()
        for number in range(5):
            pipe.put_nowait(number)
        assert all_of(pipe) == [0, 1, 2, 3, 4]


async def test_a_reader_that_is_killed_at_work_loses_one_item_at_most(pipe: PipeQueue) -> None:
    with program("read", pipe.path) as child:
        assert await child.line() == "ready"
        for number in range(1000):
            pipe.put_nowait(number)
        said = [int(await child.line()) for _ in range(20)]
        await child.kill()
        said += [int(line) for line in await child.rest()]
    left = all_of(pipe)
    assert said == list(range(len(said)))
    assert left == list(range(1000 - len(left), 1000))
    assert len(said) + len(left) in (999, 1000)


def test_a_forked_child_may_put_but_not_get(path: str) -> None:
    pipe = PipeQueue(path, history=False)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            pipe.put_nowait("from the child")
            try:
                pipe.get_nowait()
            except RuntimeError:
                code = 0
            pipe.close()
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    # It has not removed the pipe either.
    assert os.path.exists(path)
    assert pipe.get_nowait() == "from the child"
    pipe.close()


# -- where there is no tee(2)


async def test_without_tee_one_reader_reads_ahead(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PipePeek, "of", lambda source: None)
    async with PipeQueue(path) as pipe:
        assert not pipe.guarantees.many_readers
        getting = [asyncio.create_task(pipe.get()) for _ in range(3)]
        await asyncio.sleep(0)
        for number in range(10):
            pipe.put_nowait(number)
        # Another thread takes the first and has read the rest: those who wait hear of it.
        first = await asyncio.to_thread(pipe.get_nowait)
        others = await asyncio.wait_for(asyncio.gather(*getting), PATIENCE)
        assert sorted([first, *others]) == [0, 1, 2, 3]
        assert pipe.qsize() == 6
        assert all_of(pipe) == [4, 5, 6, 7, 8, 9]
