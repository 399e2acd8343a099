"""task_done, join, empty and full of a ManagerQueue, with a host in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator

import pytest

from communica_like.exceptions import Closed, ConnectionLost
from communica_like.queues import ManagerQueue

PATIENCE = 20.0


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """Of a host whose queues hold two items."""
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:  # tmp_path may be too long for a socket
        command = [sys.executable, "-m", "tests.queues.manager.child", "host", f"{folder}/s", "2"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), PATIENCE)
                assert line == b"serving\n"
                yield f"{folder}/s"
            finally:
                process.kill()


async def test_empty_and_full(address: str) -> None:
    async with ManagerQueue(address, b"key") as here, ManagerQueue(address, b"key") as there:
        for each in (here, there):
            assert (each.empty(), each.full(), each.qsize()) == (True, False, 0)
        await here.put(1)
        for each in (here, there):
            assert (each.empty(), each.full(), each.qsize()) == (False, False, 1)
        there.put_nowait(2)
        for each in (here, there):
            assert (each.empty(), each.full(), each.qsize()) == (False, True, 2)
        assert [there.get_nowait(), await here.get()] == [1, 2]
        for each in (here, there):
            assert (each.empty(), each.full()) == (True, False)


async def test_full_is_what_the_first_user_said(address: str) -> None:
    async with ManagerQueue(address, b"key", "large", max_items=1000) as mq:
        for number in range(999):
            mq.put_nowait(number)
        assert not mq.full()
        mq.put_nowait(999)
        assert mq.full()


async def test_join_waits_for_the_work_on_all_that_was_put(address: str) -> None:
    async with ManagerQueue(address, b"key") as writer, ManagerQueue(address, b"key") as worker:
        await asyncio.wait_for(writer.join(), PATIENCE)  # there is nothing to wait for
        for turn in range(20):
            await writer.put(turn)
            await writer.put(-turn)
            joins = [asyncio.create_task(each.join()) for each in (writer, worker)]
            assert [await worker.get(), await worker.get()] == [turn, -turn]
            worker.task_done()
            worker.qsize()  # whatever was said to those who join is on its way
            done, _ = await asyncio.wait(joins, timeout=0)
            assert not done
            writer.task_done()  # whoever says it
            await asyncio.wait_for(asyncio.gather(*joins), PATIENCE)


async def test_task_done_too_often(address: str) -> None:
    async with ManagerQueue(address, b"key") as here, ManagerQueue(address, b"key") as there:
        with pytest.raises(ValueError, match="too many times"):
            here.task_done()
        await here.put(1)
        there.task_done()  # an item need not be taken
        for each in (here, there):
            with pytest.raises(ValueError, match="too many times"):
                each.task_done()
        await asyncio.wait_for(here.join(), PATIENCE)


async def test_what_was_put_before_join_counts(address: str) -> None:
    async with ManagerQueue(address, b"key", "a", max_items=100) as here:
        async with ManagerQueue(address, b"key", "a") as there:
            for number in range(100):
                await here.put(number)
                joining = asyncio.create_task(there.join())
                await asyncio.sleep(0)
                there.qsize()
                assert not joining.done()
                there.task_done()
                await asyncio.wait_for(joining, PATIENCE)


async def test_join_that_is_cancelled_does_no_harm(address: str) -> None:
    async with ManagerQueue(address, b"key") as mq:
        await mq.put(1)
        for turn in range(50):
            joining = asyncio.create_task(mq.join())
            for _ in range(turn % 4):
                await asyncio.sleep(0)
            joining.cancel()
            with pytest.raises(asyncio.CancelledError):
                await joining
        joining = asyncio.create_task(mq.join())
        await asyncio.sleep(0)
        mq.task_done()
        await asyncio.wait_for(joining, PATIENCE)


async def test_join_ends_with_the_queue(address: str) -> None:
    async with ManagerQueue(address, b"key") as here, ManagerQueue(address, b"key") as there:
        await here.put(1)
        joins = [asyncio.create_task(each.join()) for each in (here, there)]
        await asyncio.sleep(0)
        there.close()
        with pytest.raises(Closed):
            await asyncio.wait_for(joins[1], PATIENCE)
        with pytest.raises(Closed):
            await there.join()
        assert not joins[0].done()
        here.task_done()
        await asyncio.wait_for(joins[0], PATIENCE)


async def test_join_at_a_host_that_is_killed() -> None:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        command = [sys.executable, "-m", "tests.queues.manager.child", "host", f"{folder}/s", "0"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), PATIENCE)
                assert line == b"serving\n"
                async with ManagerQueue(f"{folder}/s", b"key") as mq:
                    await mq.put(1)
                    joining = asyncio.create_task(mq.join())
                    await asyncio.sleep(0)
                    process.kill()
                    with pytest.raises(ConnectionLost):
                        await asyncio.wait_for(joining, PATIENCE)
            finally:
                process.kill()
