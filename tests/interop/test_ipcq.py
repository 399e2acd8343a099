"""Programs that use ipcq, and ours, share queues."""

from __future__ import annotations

import asyncio
import queue
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from communica_like.exceptions import AuthenticationError, Closed, ConnectionLost, SerializerError
from communica_like.queues import ManagerQueue, QueueHost
from communica_like.queues.manager.ipcq_client import IpcqClient
from communica_like.queues.manager.protocol import Item
from communica_like.serializers import JsonSerializer, RawSerializer
from tests.interop.original import needs
from tests.process import AsyncProgram
from tests.queues.cancelled import get_cancelled

needs("ipcq")

PATIENCE = 40.0
LARGE = 200_000
ITEMS: list[Any] = [True, 5, -1.5, "text", b"", (1, 2), [3, [4]], {"a": {1, 2}}, b"x" * LARGE, "y" * LARGE]


def program(*arguments: str) -> AsyncProgram:
    """Start a program of programs/ipcq_caller.py."""
    return AsyncProgram("-m", "tests.interop.programs.ipcq_caller", *arguments)


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        yield folder


@pytest.fixture
async def host(folder: str) -> AsyncIterator[str]:
    """Our server."""
    async with QueueHost(f"{folder}/s", b"key"):
        yield f"{folder}/s"


@pytest.fixture
async def foreign(folder: str) -> AsyncIterator[str]:
    """ipcq's server."""
    with program("serve", f"{folder}/s") as caller:
        assert await caller.line() == "serving"
        yield f"{folder}/s"
        await caller.end()  # a killed ipcq server would leave its manager's process behind


@pytest.fixture(params=["host", "foreign"])
def server(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


async def test_the_same_objects_both_ways(server: str) -> None:
    with program("echo", server):
        async with (
            ManagerQueue(server, b"key", "items") as items,
            ManagerQueue(server, b"key", "answers") as back,
        ):
            for item in ITEMS:
                await items.put(item)
                assert await back.get(timeout=PATIENCE) == (item, type(item).__name__)
            for item in ITEMS:
                items.put_nowait(item)
            assert [(await back.get())[0] for _ in ITEMS] == ITEMS
            await items.put(None)
            assert await back.get() == (None, "NoneType")


async def test_with_another_serializer_items_are_bytes(server: str) -> None:
    with program("echo", server):
        async with (
            ManagerQueue(server, b"key", "items", serializer=JsonSerializer()) as items,
            ManagerQueue(server, b"key", "answers") as back,
        ):
            await items.put({"a": 1})
            assert await back.get(timeout=PATIENCE) == (b'{"a":1}', "bytes")
            async with ManagerQueue(server, b"key", "items") as objects:
                await objects.put(None)


async def test_what_is_no_bytes_for_a_reader_of_bytes(server: str) -> None:
    async with ManagerQueue(server, b"key") as objects:
        async with ManagerQueue(server, b"key", serializer=RawSerializer()) as raw:
            await objects.put({"a": 1})
            await objects.put(b"bytes")
            with pytest.raises(SerializerError, match="is no bytes"):
                await raw.get(timeout=PATIENCE)
            assert await raw.get(timeout=PATIENCE) == b"bytes"


async def test_the_key(server: str) -> None:
    with pytest.raises(AuthenticationError):
        await ManagerQueue(server, b"wrong").get()


async def test_idents(server: str) -> None:
    idents: list[Any] = [None, 0, 5, "0", b"0", ""]
    queues = [ManagerQueue(server, b"key", ident) for ident in idents]
    for ident, each in zip(idents, queues, strict=True):
        await each.put(ident)
    for ident, each in zip(idents, queues, strict=True):
        assert await each.get(timeout=PATIENCE) == ident
        each.close()


# -- our server, their client


async def test_all_that_a_proxy_does(host: str) -> None:
    async with ManagerQueue(host, b"key", 7, max_items=2) as made:
        assert made.guarantees.capacity == 2
        with program("use", host) as caller:
            expected = [True, False, 0, True, 2, *["full"] * 2, b"raw", {"a": [1]}, *["empty"] * 3]
            assert await caller.line() == str(expected)


async def test_a_client_that_is_killed_while_it_waits_takes_nothing_along(host: str) -> None:
    async with ManagerQueue(host, b"key", "items") as items:
        for _ in range(3):
            with program("wait", host) as caller:
                assert await caller.line() == "waiting"
                await caller.until_asleep()  # it says so before it waits
                await caller.kill()
            await items.put("item")
            assert items.get_nowait() == "item"
        with program("wait", host) as caller:
            await items.put("for it")
            assert await caller.line() == "waiting"
            assert await caller.line() == "for it"


# -- their server, our client


async def test_a_cancelled_get_loses_nothing(foreign: str) -> None:
    async with ManagerQueue(foreign, b"key") as writer, ManagerQueue(foreign, b"key") as reader:
        reading = asyncio.create_task(get_cancelled(reader, 300, step=0.0002))
        for number in range(300):
            await writer.put(number)
            if number % 7 == 0:
                await asyncio.sleep(0.002)
        # What was under way for a get that gave up may come after a later one.
        assert sorted(await asyncio.wait_for(reading, PATIENCE)) == list(range(300))


async def test_what_came_for_nobody_is_put_back_at_the_end(foreign: str) -> None:
    async with ManagerQueue(foreign, b"key") as other:
        async with ManagerQueue(foreign, b"key") as reader:
            with pytest.raises(queue.Empty):
                await reader.get(timeout=0.01)  # now a get is under way at the other side
            await other.put("item")
        assert await other.get(timeout=PATIENCE) == "item"
        with pytest.raises(queue.Empty):
            await other.get(timeout=0.3)


async def test_what_comes_at_the_moment_of_the_close_is_put_back(foreign: str) -> None:
    class Stash(deque[Item]):
        def append(self, item: Item, /) -> None:
            client.close()  # as another thread does
            super().append(item)

    async with ManagerQueue(foreign, b"key") as other, ManagerQueue(foreign, b"key") as reader:
        assert isinstance(reader._remote, IpcqClient)
        client = reader._remote
        client._kept = Stash()
        getting = asyncio.create_task(reader.get())
        await asyncio.sleep(0)
        await other.put("item")
        assert await other.get(timeout=PATIENCE) == "item"
        reader.close()
        with pytest.raises(Closed):
            await asyncio.wait_for(getting, PATIENCE)


async def test_close_ends_all_that_wait(foreign: str) -> None:
    reader = ManagerQueue(foreign, b"key")
    getting = [asyncio.create_task(reader.get()), asyncio.create_task(anext(reader))]
    await asyncio.sleep(0)
    reader.close()
    with pytest.raises(Closed):
        await asyncio.wait_for(getting[0], PATIENCE)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(getting[1], PATIENCE)


async def test_a_server_that_ends(folder: str) -> None:
    with program("serve", f"{folder}/s") as caller:
        assert await caller.line() == "serving"
        mq = ManagerQueue(f"{folder}/s", b"key")
        getting = asyncio.create_task(mq.get())
        await mq.put("first")
        assert await asyncio.wait_for(getting, PATIENCE) == "first"
        getting = asyncio.create_task(mq.get())
        await asyncio.sleep(0)
        await caller.end()
    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(getting, PATIENCE)
    mq.close()
