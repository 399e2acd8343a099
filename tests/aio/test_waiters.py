"""Those who wait: in order, each for itself, until their time is over."""

from __future__ import annotations

import asyncio
import queue

import pytest

from communica_like.aio.waiters import Line
from communica_like.exceptions import Closed

PATIENCE = 40.0


class Counter:
    """Lets so many through; counts how often it is watched."""

    def __init__(self) -> None:
        self.line = Line(queue.Empty, lambda: self.log.append("watch"), lambda: self.log.append("ignore"))
        self.log: list[str] = []
        self.there = 0
        self.given = 0

    def attempt(self) -> int:
        if not self.there:
            raise queue.Empty
        self.there -= 1
        self.given += 1
        return self.given

    async def enter(self, timeout: float | None = None) -> int:
        return await self.line.enter(self.attempt, timeout)


@pytest.fixture
def counter() -> Counter:
    return Counter()


async def test_who_need_not_wait_is_not_watched_for(counter: Counter) -> None:
    counter.there = 1
    assert await counter.enter() == 1
    with pytest.raises(queue.Empty):
        await counter.enter(0)
    assert counter.log == []


async def test_one_call_lets_all_through_that_can_go(counter: Counter) -> None:
    waiting = [asyncio.create_task(counter.enter()) for _ in range(4)]
    await asyncio.sleep(0)
    assert len(counter.line) == 4
    counter.there = 3
    counter.line.call_up()
    for _ in range(10):
        await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True] * 3 + [False]
    assert counter.log == ["watch", "watch"]  # the fourth came too late
    counter.there = 1
    counter.line.call_up()
    assert await asyncio.gather(*waiting) == [1, 2, 3, 4]
    assert counter.log == ["watch", "watch", "ignore"]


async def test_who_is_called_up_in_vain_keeps_its_place(counter: Counter) -> None:
    first = asyncio.create_task(counter.enter())
    second = asyncio.create_task(counter.enter())
    await asyncio.sleep(0)
    for _ in range(3):
        counter.line.call_up()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    counter.there = 2
    counter.line.call_up()
    assert [await first, await second] == [1, 2]


async def test_whose_time_is_over_does_not_overtake(counter: Counter) -> None:
    first = asyncio.create_task(counter.enter())
    second = asyncio.create_task(counter.enter(0.001))
    await asyncio.sleep(0)
    counter.there = 1  # and nobody is called up
    with pytest.raises(queue.Empty):
        await asyncio.wait_for(second, PATIENCE)
    assert await asyncio.wait_for(first, PATIENCE) == 1


async def test_a_last_attempt_when_the_time_is_over(counter: Counter) -> None:
    task = asyncio.create_task(counter.enter(0.001))
    await asyncio.sleep(0)
    counter.there = 1
    assert await asyncio.wait_for(task, PATIENCE) == 1


async def test_what_an_attempt_raises_is_the_caller_s(counter: Counter) -> None:
    def fail() -> None:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        await counter.line.enter(fail, None)
    task = asyncio.create_task(counter.enter())
    await asyncio.sleep(0)
    failing = asyncio.create_task(counter.line.enter(fail, None))
    await asyncio.sleep(0)
    counter.there = 1
    counter.line.call_up()
    assert await task == 1
    with pytest.raises(OSError, match="broken"):
        await failing


async def test_close_ends_all(counter: Counter) -> None:
    waiting = [asyncio.create_task(counter.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    counter.there = 3
    counter.line.close()
    for task in waiting:
        with pytest.raises(Closed):
            await task
    assert counter.given == 0


async def test_nobody_waits_in_a_line_that_is_closed(counter: Counter) -> None:
    counter.line.close()
    with pytest.raises(Closed):
        await asyncio.wait_for(counter.enter(), PATIENCE)


async def test_whoever_has_a_place_keeps_it_from_one_attempt_to_another(counter: Counter) -> None:
    log: list[str] = []

    async def first() -> None:
        with counter.line.place() as place:
            with pytest.raises(queue.Empty):
                await place.wait(counter.attempt, 0.001)
            log.append("once more")
            await place.wait(counter.attempt, None)
            log.append("first")

    async def second() -> None:
        await counter.enter()
        log.append("second")

    tasks = [asyncio.create_task(each) for each in (first(), second())]
    async with asyncio.timeout(PATIENCE):
        while not log:
            await asyncio.sleep(0)
    counter.there = 2
    counter.line.call_up()
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
    assert log == ["once more", "first", "second"]
