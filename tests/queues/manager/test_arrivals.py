"""Tasks that wait until something is open."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

import pytest

from communica_like.queues.manager.arrivals import Arrivals

PATIENCE = 20.0


class Door:
    """Something that this test opens."""

    def __init__(self) -> None:
        self.word: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()
        self.is_open = False
        self.opened = 0
        self.arrivals: Arrivals[str] = Arrivals(lambda: "open" if self.is_open else None, self._open)

    def _open(self) -> str:
        self.opened += 1
        word = self.word.get(timeout=PATIENCE)
        if isinstance(word, Exception):
            raise word
        self.is_open = True
        return word


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)


async def test_whoever_comes_goes_on_in_his_turn() -> None:
    door = Door()
    went: list[int] = []

    async def go(number: int) -> None:
        assert await door.arrivals.enter() == "open"
        went.append(number)

    tasks = [asyncio.create_task(go(0))]
    await until(lambda: door.opened)
    door.word.put("open")
    while not went:  # in each turn until then, one more comes
        tasks.append(asyncio.create_task(go(len(tasks))))
        await asyncio.sleep(0)
    for _ in range(5):
        tasks.append(asyncio.create_task(go(len(tasks))))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert went == list(range(len(tasks)))
    assert door.opened == 1


async def test_nobody_overtakes_while_another_opens_it() -> None:
    door = Door()
    first = asyncio.create_task(door.arrivals.enter())
    await until(lambda: door.opened)
    door.is_open = True  # by somebody else
    second = asyncio.create_task(door.arrivals.enter())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not first.done()
    assert not second.done()
    door.word.put("open")
    assert [await first, await second] == ["open", "open"]
    assert door.opened == 1


async def test_all_who_wait_get_the_error_and_the_next_one_tries_again() -> None:
    door = Door()
    tasks = [asyncio.create_task(door.arrivals.enter()) for _ in range(3)]
    await until(lambda: door.opened)
    tasks[1].cancel()
    door.word.put(ConnectionRefusedError("shut"))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results] == [
        ConnectionRefusedError,
        asyncio.CancelledError,
        ConnectionRefusedError,
    ]
    door.word.put("open")
    assert await door.arrivals.enter() == "open"
    assert door.opened == 2


async def test_when_there_are_no_threads_the_next_one_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    door = Door()
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="new thread"):
        patched.setattr(threading.Thread, "start", start)
        await door.arrivals.enter()
    door.word.put("open")
    assert await asyncio.wait_for(door.arrivals.enter(), PATIENCE) == "open"
    assert await door.arrivals.enter() == "open"


async def test_who_is_turned_away_and_who_comes_later() -> None:
    door = Door()
    waiting = asyncio.create_task(door.arrivals.enter())
    await until(lambda: door.opened)
    door.arrivals.turn_away(KeyError("gone"))
    with pytest.raises(KeyError):
        await waiting
    later = asyncio.create_task(door.arrivals.enter())
    door.word.put("open")
    assert await later == "open"
    assert door.opened == 1


def test_one_loop_after_another() -> None:
    door = Door()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(door.arrivals.enter(), 0)
        asyncio.create_task(door.arrivals.enter())  # noqa: RUF006 - ends with the loop
        await until(lambda: door.opened)

    async def come_in() -> str:
        return await asyncio.wait_for(door.arrivals.enter(), PATIENCE)

    asyncio.run(give_up())
    for _ in range(2):
        door.word.put("open")
    assert asyncio.run(come_in()) == "open"
