"""Queues between processes that work, that are killed, and that share."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator

import pytest

from tests.process import AsyncProgram
from tests.queues.media import MEDIA, Medium

PATIENCE = 40.0


@pytest.fixture(params=["posixmq", "sysvmq"])
def medium(request: pytest.FixtureRequest) -> Iterator[Medium]:
    with MEDIA[request.param]() as medium:
        yield medium


def program(*arguments: object) -> AsyncProgram:
    """Start a program of tests/queues/child.py."""
    return AsyncProgram("-m", "tests.queues.child", *arguments)


async def test_a_reader_that_is_killed_while_it_waits_takes_nothing_along(medium: Medium) -> None:
    mq = medium.open()
    for _ in range(3):
        with program("wait", medium.name) as child:
            assert await child.line() == "waiting"
            await child.kill()
        await mq.put("item")
        assert mq.get_nowait() == "item"
        with pytest.raises(queue.Empty):
            mq.get_nowait()


async def test_a_writer_that_is_killed_has_put_all_that_it_said(medium: Medium) -> None:
    mq = medium.open()
    with program("write", medium.name, 0, 1_000_000) as child:
        got = [await asyncio.wait_for(mq.get(), PATIENCE) for _ in range(200)]
        await child.kill()
        said = [int(line) for line in await child.rest()]
    while True:
        try:
            got.append(mq.get_nowait())
        except queue.Empty:
            break
    assert got == list(range(len(got)))
    # It may have been killed between the one and the other.
    assert len(said) <= len(got) <= len(said) + 2


async def test_two_processes_share_the_work(medium: Medium) -> None:
    mq = medium.open()
    with program("read", medium.name, 300) as first, program("read", medium.name, 300) as second:
        for number in range(600):
            await mq.put(number, timeout=PATIENCE)
        got = [[int(line) for line in await each.rest()] for each in (first, second)]
    assert sorted(got[0] + got[1]) == list(range(600))
    assert all(numbers == sorted(numbers) for numbers in got)


async def test_there_and_back(medium: Medium) -> None:
    mq = medium.open()
    with MEDIA[medium.kind]() as back:
        answers = back.open()
        with program("echo", medium.name, back.name):
            for number in range(1000):
                await mq.put(number)
                assert await answers.get(timeout=PATIENCE) == number
