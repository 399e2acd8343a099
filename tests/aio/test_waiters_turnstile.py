"""Callers wait for room in the order in which they came."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from communica_like.aio.waiters import Turnstile
from communica_like.exceptions import Closed, RequestTimeout


class Outbox:
    """As much room as it is told."""

    def __init__(self) -> None:
        self.room = 0
        self.taken: list[str] = []

    def take(self, name: str) -> str | None:
        if not self.room:
            return None
        self.room -= 1
        self.taken.append(name)
        return name


def never() -> str | None:
    return None


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_each_waits_for_those_before() -> None:
    turnstile, outbox = Turnstile(), Outbox()
    names = ["first", "second", "third"]
    tasks = [asyncio.ensure_future(turnstile.enter(partial(outbox.take, name), None)) for name in names]
    await turns()
    assert (turnstile.waiting, turnstile.blocked) == (3, True)
    outbox.room = 2
    turnstile.open()
    await turns()
    assert outbox.taken == ["first", "second"]
    assert turnstile.waiting == 1
    outbox.room = 1
    turnstile.open()
    assert await asyncio.gather(*tasks) == names
    assert (turnstile.waiting, turnstile.blocked) == (0, False)
    turnstile.open()


async def test_who_does_not_queue_neither_waits_for_others_nor_holds_them_up() -> None:
    turnstile, outbox = Turnstile(), Outbox()
    queued = asyncio.ensure_future(turnstile.enter(never, None))
    await turns()
    outbox.room = 1
    assert await turnstile.enter(lambda: outbox.take("large"), None, queue=False) == "large"
    assert turnstile.waiting == 1
    queued.cancel()
    await turns()
    assert turnstile.waiting == 0


async def test_a_cancelled_caller_lets_the_next_one_try() -> None:
    turnstile, outbox = Turnstile(), Outbox()
    first = asyncio.ensure_future(turnstile.enter(lambda: outbox.take("first"), None))
    second = asyncio.ensure_future(turnstile.enter(lambda: outbox.take("second"), None))
    await turns()
    outbox.room = 1
    first.cancel()
    assert await second == "second"
    assert outbox.taken == ["second"]


async def test_time_passes_in_the_line_and_at_its_head() -> None:
    turnstile = Turnstile()
    deadline = asyncio.get_running_loop().time() + 0.01
    ends = await asyncio.gather(
        *(turnstile.enter(never, deadline) for _ in range(2)), return_exceptions=True
    )
    assert [type(end) for end in ends] == [RequestTimeout, RequestTimeout]
    assert turnstile.waiting == 0


async def test_what_an_attempt_raises_is_raised() -> None:
    turnstile = Turnstile()

    def attempt() -> None:
        raise Closed("no more")

    with pytest.raises(Closed, match="no more"):
        await turnstile.enter(attempt, None)
    assert turnstile.waiting == 0
