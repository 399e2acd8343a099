"""Waiters: in order, each for itself, until their time is over."""

from __future__ import annotations

import asyncio
import queue

import pytest

from communica_like.aio.waiters import Waiter, Waiters
from communica_like.exceptions import Closed

PATIENCE = 40.0


class Counter:
    """Lets so many through; counts how often it is watched."""

    def __init__(self) -> None:
        self.waiters = Waiters(
            queue.Empty, lambda: self.log.append("watch"), lambda: self.log.append("ignore")
        )
        self.log: list[str] = []
        self.there = 0
        self.given = 0

    def attempt(self) -> int:
        if not self.there:
            raise queue.Empty
        self.there -= 1
        self.given += 1
        return self.given

    async def wait(self, timeout: float | None = None) -> int:
        return await self.waiters.wait(self.attempt, timeout)


@pytest.fixture
def counter() -> Counter:
    return Counter()


async def test_who_need_not_wait_is_not_watched_for(counter: Counter) -> None:
    counter.there = 1
    assert await counter.wait() == 1
    with pytest.raises(queue.Empty):
        await counter.wait(0)
    assert counter.log == []


async def test_one_notification_lets_all_through_that_can_go(counter: Counter) -> None:
    waiting = [asyncio.create_task(counter.wait()) for _ in range(4)]
    await asyncio.sleep(0)
    assert len(counter.waiters) == 4
    counter.there = 3
    counter.waiters.notify()
    for _ in range(10):
        await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True] * 3 + [False]
    assert counter.log == ["watch", "watch"]  # the fourth came too late
    counter.there = 1
    counter.waiters.notify()
    assert await asyncio.gather(*waiting) == [1, 2, 3, 4]
    assert counter.log == ["watch", "watch", "ignore"]


async def test_a_waiter_notified_in_vain_keeps_its_place(counter: Counter) -> None:
    first = asyncio.create_task(counter.wait())
    second = asyncio.create_task(counter.wait())
    await asyncio.sleep(0)
    for _ in range(3):
        counter.waiters.notify()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    counter.there = 2
    counter.waiters.notify()
    assert [await first, await second] == [1, 2]


async def test_whose_time_is_over_does_not_overtake(counter: Counter) -> None:
    first = asyncio.create_task(counter.wait())
    second = asyncio.create_task(counter.wait(0.001))
    await asyncio.sleep(0)
    counter.there = 1  # and no waiter is notified
    with pytest.raises(queue.Empty):
        await asyncio.wait_for(second, PATIENCE)
    assert await asyncio.wait_for(first, PATIENCE) == 1


async def test_a_last_attempt_when_the_time_is_over(counter: Counter) -> None:
    task = asyncio.create_task(counter.wait(0.001))
    await asyncio.sleep(0)
    counter.there = 1
    assert await asyncio.wait_for(task, PATIENCE) == 1


async def test_what_an_attempt_raises_is_the_caller_s(counter: Counter) -> None:
    def fail() -> None:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        await counter.waiters.wait(fail, None)
    task = asyncio.create_task(counter.wait())
    await asyncio.sleep(0)
    failing = asyncio.create_task(counter.waiters.wait(fail, None))
    await asyncio.sleep(0)
    counter.there = 1
    counter.waiters.notify()
    assert await task == 1
    with pytest.raises(OSError, match="broken"):
        await failing


async def test_close_ends_all(counter: Counter) -> None:
    waiting = [asyncio.create_task(counter.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    counter.there = 3
    counter.waiters.close()
    for task in waiting:
        with pytest.raises(Closed):
            await task
    assert counter.given == 0


async def test_a_closed_wait_queue_takes_no_waiters(counter: Counter) -> None:
    counter.waiters.close()
    with pytest.raises(Closed):
        await asyncio.wait_for(counter.wait(), PATIENCE)


async def test_a_waiter_keeps_its_place_from_one_attempt_to_another(counter: Counter) -> None:
    log: list[str] = []

    async def first() -> None:
        with Waiter(counter.waiters) as waiter:
            with pytest.raises(queue.Empty):
                await waiter.wait(counter.attempt, 0.001)
            log.append("once more")
            await waiter.wait(counter.attempt, None)
            log.append("first")

    async def second() -> None:
        await counter.wait()
        log.append("second")

    tasks = [asyncio.create_task(each) for each in (first(), second())]
    async with asyncio.timeout(PATIENCE):
        while not log:
            await asyncio.sleep(0)
    counter.there = 2
    counter.waiters.notify()
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
    assert log == ["once more", "first", "second"]


async def test_a_cancelled_waiter_lets_the_next_one_try(counter: Counter) -> None:
    first = asyncio.create_task(counter.wait())
    second = asyncio.create_task(counter.wait())
    await asyncio.sleep(0)
    counter.there = 1
    first.cancel()
    assert await asyncio.wait_for(second, PATIENCE) == 1
    assert (counter.given, len(counter.waiters)) == (1, 0)


async def test_a_waiter_that_was_notified_and_cancelled_has_got_nothing(counter: Counter) -> None:
    first = asyncio.create_task(counter.wait())
    second = asyncio.create_task(counter.wait())
    await asyncio.sleep(0)
    counter.there = 1
    counter.waiters.notify()
    first.cancel()
    assert await asyncio.wait_for(second, PATIENCE) == 1
    assert (first.cancelled(), counter.given) == (True, 1)


async def test_time_passes_for_every_waiter(counter: Counter) -> None:
    ends = await asyncio.gather(*(counter.wait(0.01) for _ in range(2)), return_exceptions=True)
    assert [type(end) for end in ends] == [queue.Empty, queue.Empty]
    assert len(counter.waiters) == 0


async def test_a_waiter_tries_before_notify_returns(counter: Counter) -> None:
    task = asyncio.create_task(counter.wait())
    await asyncio.sleep(0)
    counter.there = 1
    given: list[int] = []

    def let_through() -> None:
        counter.waiters.notify(at_once=True)
        given.append(counter.given)

    asyncio.get_running_loop().call_soon(let_through)
    assert await task == 1
    await asyncio.sleep(0)
    assert given == [1]
