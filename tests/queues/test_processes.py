"""Queues between processes that work, that are killed, and that share."""

from __future__ import annotations

import asyncio
import queue
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.queues.media import MEDIA, Medium

PATIENCE = 20.0


@pytest.fixture(params=["posixmq", "sysvmq"])
def medium(request: pytest.FixtureRequest) -> Iterator[Medium]:
    with MEDIA[request.param]() as medium:
        yield medium


class Child:
    """A program of tests/queues/child.py."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.queues.child", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    async def line(self) -> str:
        assert self.process.stdout is not None
        text = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.readline), PATIENCE)
        return text.strip()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


async def test_a_reader_that_is_killed_while_it_waits_takes_nothing_along(medium: Medium) -> None:
    mq = medium.open()
    for _ in range(3):
        with Child("wait", medium.name) as child:
            assert await child.line() == "waiting"
            child.process.kill()
            child.process.wait()
        await mq.put("item")
        assert mq.get_nowait() == "item"
        with pytest.raises(queue.Empty):
            mq.get_nowait()


async def test_a_writer_that_is_killed_has_put_all_that_it_said(medium: Medium) -> None:
    mq = medium.open()
    with Child("write", medium.name, 0, 1_000_000) as child:
        got = [await asyncio.wait_for(mq.get(), PATIENCE) for _ in range(200)]
        child.process.kill()
        rest, _ = child.process.communicate()
    said = [int(line) for line in rest.splitlines() if line.strip()]
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
    with Child("read", medium.name, 300) as first, Child("read", medium.name, 300) as second:
        for number in range(600):
            await mq.put(number, timeout=PATIENCE)
        texts = [
            (await asyncio.wait_for(asyncio.to_thread(each.process.communicate), PATIENCE))[0]
            for each in (first, second)
        ]
    got = [[int(line) for line in text.split()] for text in texts]
    assert sorted(got[0] + got[1]) == list(range(600))
    assert all(numbers == sorted(numbers) for numbers in got)


async def test_there_and_back(medium: Medium) -> None:
    mq = medium.open()
    with MEDIA[medium.kind]() as back:
        answers = back.open()
        with Child("echo", medium.name, back.name):
            for number in range(1000):
                await mq.put(number)
                assert await answers.get(timeout=PATIENCE) == number
