"""A manager's queues between processes that work, that are killed, that hang, and that share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from communica_like.exceptions import ConnectionLost, LinkError, LinkRefused
from communica_like.queues import ManagerQueue, QueueHost
from communica_like.queues.manager.client import HostClient

PATIENCE = 20.0


@pytest.fixture
def address() -> Iterator[str]:
    # Not tmp_path, which may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        yield f"{folder}/s"


@pytest.fixture
async def mq(address: str) -> AsyncIterator[ManagerQueue]:
    async with QueueHost(address, b"key"), ManagerQueue(address, b"key") as mq:
        yield mq


class Child:
    """A program of tests/queues/manager/child.py."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.queues.manager.child", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    async def says(self, expected: str) -> None:
        assert self.process.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.readline), PATIENCE)
        assert line.strip() == expected

    async def rest(self) -> list[int]:
        """The numbers that it says until it ends."""
        assert self.process.stdout is not None  # not by communicate, which passes what was read ahead
        text = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.read), PATIENCE)
        return [int(line) for line in text.splitlines() if line.strip()]

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def killed(child: Child) -> None:
    child.process.kill()
    child.process.wait()


async def test_a_reader_that_is_killed_while_it_waits_takes_nothing_along(
    mq: ManagerQueue, address: str
) -> None:
    for _ in range(3):
        with Child("wait", address) as child:
            await child.says("waiting")
            killed(child)
            await mq.put("item")
            assert mq.get_nowait() == "item"
        assert mq.qsize() == 0


async def test_a_reader_that_is_killed_with_an_item_in_hand_gives_it_back(
    mq: ManagerQueue, address: str
) -> None:
    with Child("stall", address) as first, Child("stall", address) as second:
        await first.says("waiting")
        await second.says("waiting")
        for number in range(4):
            await mq.put(number)
        assert mq.qsize() == 2
        killed(second)
        killed(first)
        got = [await mq.get(timeout=PATIENCE) for _ in range(4)]
        assert got == [0, 1, 2, 3]


async def test_a_writer_that_is_killed_has_put_all_that_it_said(mq: ManagerQueue, address: str) -> None:
    with Child("write", address, 0, 1_000_000) as child:
        got = [await asyncio.wait_for(mq.get(), PATIENCE) for _ in range(200)]
        child.process.kill()
        said = await child.rest()
    # What it had sent is on its way.
    with contextlib.suppress(queue.Empty):
        while True:
            got.append(await mq.get(timeout=0.2))
    assert got == list(range(len(got)))
    # It may have been killed between the one and the other.
    assert len(said) <= len(got) <= len(said) + 2


async def test_two_processes_share_the_work(mq: ManagerQueue, address: str) -> None:
    with Child("read", address, 300) as first, Child("read", address, 300) as second:
        for number in range(600):
            await mq.put(number, timeout=PATIENCE)
        got = await asyncio.gather(first.rest(), second.rest())
    assert sorted(got[0] + got[1]) == list(range(600))
    assert all(numbers == sorted(numbers) for numbers in got)


async def test_there_and_back_and_nothing_while_nothing_comes(mq: ManagerQueue, address: str) -> None:
    async with ManagerQueue(address, b"key", "answers") as answers:
        with Child("echo", address, "answers") as child:
            await child.says("serving")
            for number in range(500):
                await mq.put(number)
                assert await answers.get(timeout=PATIENCE) == number
            late = []
            for number in range(15):
                await asyncio.sleep(0.02)  # a silence
                began = time.perf_counter()
                await mq.put(number)
                assert await answers.get() == number
                late.append(time.perf_counter() - began)
            # There and back; the machine may be busy.
            assert statistics.median(late) < 0.02, late
            getting = asyncio.create_task(answers.get())
            await asyncio.sleep(0.05)
            before = resource.getrusage(resource.RUSAGE_SELF)
            await asyncio.sleep(1)
            after = resource.getrusage(resource.RUSAGE_SELF)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            assert used < 0.02, f"{used:.3f} s of a second in which nothing happened"
            await mq.put("done")
            assert await getting == "done"


async def test_a_host_that_is_killed_ends_all_that_wait_and_its_address_is_used_again(address: str) -> None:
    with Child("host", address, 0) as child:
        await child.says("serving")
        waiting = ManagerQueue(address, b"key")
        full = ManagerQueue(address, b"key", "full", max_items=1)
        full.put_nowait(1)
        calls = [
            asyncio.create_task(waiting.get()),
            asyncio.create_task(waiting.get(timeout=60)),
            asyncio.create_task(full.put(2)),
            asyncio.create_task(full.put(bytes(100_000))),
        ]
        async with asyncio.timeout(PATIENCE):
            while tasks_of(waiting) != 2 or tasks_of(full) != 2:
                await asyncio.sleep(0.001)
        killed(child)
        for call in calls:
            with pytest.raises(ConnectionLost, match="is gone") as caught:
                await asyncio.wait_for(call, PATIENCE)
            assert caught.value.sent is False
        with pytest.raises(LinkRefused):
            await waiting.get()
        with pytest.raises(LinkRefused):
            full.put_nowait(3)
    assert os.path.exists(address)  # what it left
    async with QueueHost(address, b"key"):
        await waiting.put("again")
        assert await waiting.get() == "again"
    waiting.close()
    full.close()
    assert os.listdir(os.path.dirname(address)) == []


def tasks_of(mq: ManagerQueue) -> int:
    """How many tasks wait for the host."""
    return mq._remote._channel._tasks if isinstance(mq._remote, HostClient) else 0


@contextlib.contextmanager
def stopped(child: Child) -> Iterator[None]:
    child.process.send_signal(signal.SIGSTOP)
    os.waitpid(child.process.pid, os.WUNTRACED)  # until it has stopped
    try:
        yield
    finally:
        child.process.send_signal(signal.SIGCONT)


async def test_a_host_that_hangs_does_not_hold_up_the_event_loop(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a loaded machine may hold up this process.
    monkeypatch.setattr("communica_like.queues.manager.request_channel._ANSWER_TIMEOUT", 1.0)
    monkeypatch.setattr("communica_like.managers.client._TIMEOUT", 1.0)
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - began)

    with Child("host", address, 3) as child:
        await child.says("serving")
        mq = ManagerQueue(address, b"key")
        await mq.put("item")
        watching = asyncio.create_task(watch())
        with stopped(child):
            getting = asyncio.create_task(mq.get())
            with pytest.raises(ConnectionLost, match="does not answer"):
                await mq.get(timeout=0.05)
            with pytest.raises(ConnectionLost, match="does not answer"):
                await mq.put(1, timeout=0.05)
            cancelled = asyncio.create_task(mq.put(2))
            await asyncio.sleep(0.02)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(cancelled, 1)
            with pytest.raises(LinkError, match="does not answer"):
                await ManagerQueue(address, b"key").get()
            late = ManagerQueue(address, b"key")
            connecting = asyncio.create_task(late.get())
            await asyncio.sleep(0.02)
            late.close()
            with pytest.raises(Exception, match="closed"):
                await asyncio.wait_for(connecting, 0.8)
            watching.cancel()
            with pytest.raises(ConnectionLost, match="does not answer") as caught:
                mq.put_nowait(3)
            assert not caught.value.sent
            with pytest.raises(ConnectionLost) as caught:
                mq.get_nowait()
            assert not caught.value.sent
        assert await asyncio.wait_for(getting, PATIENCE) == "item"
        assert longest < 0.8
        with pytest.raises(queue.Empty):
            mq.get_nowait()
        mq.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_forked_child_opens_it_anew_and_keeps_nothing_alive(address: str) -> None:
    async with QueueHost(address, b"key"):
        mq = ManagerQueue(address, b"key")
        await mq.put("item")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                mq.get_nowait()
            except RuntimeError as exc:
                mq.close()
                os.write(writing, str(exc).encode())
            finally:
                signal.pause()
                os._exit(0)
        os.close(writing)
        try:
            assert b"open it anew" in await asyncio.to_thread(os.read, reading, 1000)
            assert mq.get_nowait() == "item"
            mq.close()
        finally:
            os.close(reading)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    with pytest.raises(LinkRefused):
        await ManagerQueue(address, b"key").get()
