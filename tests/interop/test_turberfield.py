"""PipeQueue and turberfield's two queues write and read the same lines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from communica_like.queues import PipeQueue
from tests.interop.exchange import Exchange
from tests.interop.items import LITERALS
from tests.interop.original import PATIENCE, Original, needs

needs("turberfield-utils")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[PipeQueue]:
    pipe = PipeQueue(tmp_path / "pipe")
    yield pipe
    pipe.close()


@pytest.fixture
def original(pipe: PipeQueue) -> Iterator[Original]:
    with Original("pipe", pipe.path, True) as original:
        yield original


@pytest.fixture
def async_original(pipe: PipeQueue) -> Iterator[Original]:
    with Original("async_pipe", pipe.path) as original:
        yield original


@pytest.fixture
def mq(pipe: PipeQueue) -> PipeQueue:
    return pipe


class TestBothWays(Exchange):
    ITEMS = LITERALS
    PUT = "put_nowait"


async def test_several_items_from_the_original_wait(pipe: PipeQueue, original: Original) -> None:
    for item in LITERALS:
        await original.ask("put_nowait", item)
    assert pipe.qsize() == len(LITERALS)
    assert [await pipe.get(timeout=PATIENCE) for _ in LITERALS] == LITERALS


async def test_several_items_to_the_original_wait(pipe: PipeQueue, original: Original) -> None:
    for item in LITERALS:
        pipe.put_nowait(item)
    assert [await original.ask("get") for _ in LITERALS] == LITERALS


async def test_all_kinds_from_the_original_for_asyncio(pipe: PipeQueue, async_original: Original) -> None:
    for item in LITERALS:
        waiting = asyncio.create_task(pipe.get(timeout=PATIENCE))
        await async_original.ask("put_nowait", item)
        assert await waiting == item


async def test_all_kinds_to_the_original_for_asyncio(pipe: PipeQueue, async_original: Original) -> None:
    for item in LITERALS:
        async_original.tell("get")
        await pipe.put(item, timeout=PATIENCE)
        got = await async_original.answer()
        assert got == item
        assert type(got) is type(item)


async def test_items_wait_for_the_original_to_start(pipe: PipeQueue) -> None:
    for number in range(100):
        pipe.put_nowait(number)
    with Original("pipe", pipe.path, True) as original:
        assert [await original.ask("get") for _ in range(100)] == list(range(100))


async def test_a_pipe_without_history_that_the_original_made(tmp_path: Path) -> None:
    path = tmp_path / "made there"
    with Original("pipe", path, False) as original:
        await original.ask("put_nowait", ("from", "there"))
        async with PipeQueue(path) as pipe:
            assert await pipe.get(timeout=PATIENCE) == ("from", "there")
            pipe.put_nowait({"from": "here"})
            assert await original.ask("get") == {"from": "here"}


async def test_a_pipe_without_history_that_is_made_here(tmp_path: Path) -> None:
    path = tmp_path / "made here"
    async with PipeQueue(path, history=False) as pipe:
        with Original("pipe", path, True) as original:
            await original.ask("put_nowait", "from there")
            assert await pipe.get(timeout=PATIENCE) == "from there"
            pipe.put_nowait("from here")
            assert await original.ask("get") == "from here"
    assert not os.path.lexists(path)
