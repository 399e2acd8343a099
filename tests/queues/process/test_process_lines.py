"""ProcessLines: lines of any length to and from a child, whatever the child does."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from communica_like.exceptions import Closed, ConnectionLost, SerializerError
from communica_like.queues.process.process_lines import ProcessLines
from tests.queues.process.programs import CAT, FOREVER, PATIENCE, Start, got, soon, starter


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with starter() as start:
        yield start


async def test_lines_there_and_back(start: Start) -> None:
    lines = await start(CAT)
    assert (lines.returncode, lines.running) == (None, True)
    with pytest.raises(queue.Empty):
        lines.get_nowait()
    with pytest.raises(queue.Empty):
        await lines.get(timeout=0.01)
    items = ["text", "", "ünï", 5, None, "\udcff\udc80 not UTF-8", "with\rreturn"]
    for item in items:
        await lines.put(item)
    assert [await got(lines) for _ in items] == [str(item) for item in items]
    for bad in ("two\nlines", "\ud800"):
        with pytest.raises(SerializerError):
            lines.put_nowait(bad)
    lines.put_nowait("one more")
    await soon(lambda: lines.qsize() == 1)
    assert lines.get_nowait() == "one more"
    await lines.stop()
    assert (lines.returncode, lines.running) == (0, False)
    for call in (lines.get_nowait, lines.qsize, lines.end_input, lambda: lines.put_nowait("x")):
        with pytest.raises(Closed):
            call()
    with pytest.raises(Closed):
        await lines.start()


async def test_a_command_as_text_and_iteration_to_the_end() -> None:
    async with ProcessLines(f"{sys.executable} -c 'import sys; print(sorted(sys.stdin))'") as lines:
        await lines.put("b")
        await lines.put("a")
        lines.end_input()
        with pytest.raises(Closed):
            lines.put_nowait("late")
        async with asyncio.timeout(PATIENCE):
            assert [line async for line in lines] == ["['a\\n', 'b\\n']"]
        assert lines.returncode == 0


async def test_long_lines(start: Start) -> None:
    lines = await start(CAT, max_waiting_bytes=1000)
    line = "x" * (5 << 20)
    await lines.put(line)
    await lines.put("short", timeout=PATIENCE)
    assert await got(lines) == line
    assert await got(lines) == "short"


async def test_a_burst_does_not_fill_the_memory(start: Start) -> None:
    program = "import sys\nfor n in range(100_000): print(n)\nprint('done', file=sys.stderr)"
    lines = await start(program, max_waiting_bytes=50_000)
    await soon(lambda: lines.qsize() > 500)
    for _ in range(100):
        await asyncio.sleep(0)
    assert lines.qsize() < 15_000  # the bound, and one read
    assert lines.stderr_tail == b""  # it waits, too
    most = 0
    for number in range(100_000):
        assert await lines.get(timeout=PATIENCE) == str(number)
        most = max(most, lines.qsize())
    assert most < 35_000
    with pytest.raises(ConnectionLost):
        await got(lines)


async def test_what_is_no_text_and_no_whole_line(start: Start) -> None:
    program = r"import sys; sys.stdout.buffer.write(b'\xff\xfe\n\nlast')"
    lines = await start(program)
    async with asyncio.timeout(PATIENCE):
        assert [line async for line in lines] == ["\udcff\udcfe", "", "last"]
    strict = await start(program, errors="strict")
    with pytest.raises(SerializerError):
        await got(strict)
    assert [await got(strict), await got(strict)] == ["", "last"]


async def test_a_child_that_dies(start: Start) -> None:
    heard: list[bytes] = []
    lines = await start("print('first'); input(); raise KeyError('of the child')", on_stderr=heard.append)
    getting = [asyncio.create_task(lines.get()) for _ in range(3)]
    await lines.put("go")
    results = await asyncio.wait_for(asyncio.gather(*getting, return_exceptions=True), PATIENCE)
    assert results[0] == "first"
    for error in results[1:]:
        assert isinstance(error, ConnectionLost)
        assert error.sent
        assert "exit code 1;" in str(error)
        assert "KeyError: 'of the child'" in str(error)
    assert lines.returncode == 1
    assert b"KeyError" in lines.stderr_tail
    assert b"".join(heard).startswith(b"Traceback")
    with pytest.raises(ConnectionLost, match="exit code 1") as caught:
        await lines.put("late")
    assert not caught.value.sent
    with pytest.raises(ConnectionLost, match="exit code 1"):
        lines.get_nowait()


async def test_those_who_wait_to_put_hear_of_its_death(start: Start) -> None:
    lines = await start(FOREVER)
    putting = [asyncio.create_task(lines.put("x" * 100_000)) for _ in range(3)]
    assert await got(lines) == "ready"
    assert lines.pid is not None
    os.kill(lines.pid, signal.SIGKILL)
    results = await asyncio.wait_for(asyncio.gather(*putting, return_exceptions=True), PATIENCE)
    assert results[0] is None
    for error in results[1:]:
        assert isinstance(error, ConnectionLost)
        assert "killed by SIGKILL" in str(error)
        assert not error.sent


async def test_a_child_that_never_reads(start: Start) -> None:
    lines = await start("import sys; print('ready', flush=True); input()\nsys.stdout.writelines(sys.stdin)")
    lines.put_nowait("x" * 50_000)
    putting = [asyncio.create_task(lines.put(str(n) * 100_000)) for n in range(4)]
    assert await got(lines) == "ready"
    for task in putting[2:]:
        task.cancel()
    for _ in range(20):
        try:
            await lines.put("y" * 100_000, timeout=0)
        except queue.Full:
            break
    await asyncio.gather(*putting[:2])
    lines.end_input()
    async with asyncio.timeout(PATIENCE):
        rest = [line async for line in lines]
    assert {(line[0], len(line)) for line in rest} <= {("0", 100_000), ("1", 100_000), ("y", 100_000)}
    assert [line[0] for line in rest if line[0] != "y"] == ["0", "1"]


async def test_full(start: Start) -> None:
    lines = await start(FOREVER)
    lines.put_nowait("x" * 1_000_000)
    for timeout in (0, 0.01):
        with pytest.raises(queue.Full):
            await lines.put("more", timeout=timeout)
    with pytest.raises(queue.Full):
        lines.put_nowait("more")
    waiting = [asyncio.create_task(lines.put("more")), asyncio.create_task(lines.get())]
    assert await asyncio.wait_for(waiting[1], PATIENCE) == "ready"
    waiting[1] = asyncio.create_task(lines.get())
    await asyncio.sleep(0)
    lines.close()
    for task in waiting:
        with pytest.raises(Closed):
            await asyncio.wait_for(task, PATIENCE)
    assert lines.returncode == -signal.SIGKILL
    lines.close()
    await lines.stop()


async def test_cancelled_at_every_point(start: Start) -> None:
    lines = await start(CAT, max_waiting_bytes=5_000)
    count = 3_000
    put: list[str] = []
    taken: list[str] = []

    async def write() -> None:
        turns = 0
        for number in range(count):
            text = f"{number} " + "x" * (number % 700)
            while len(put) == number:
                task = asyncio.create_task(lines.put(text))
                turns += 1
                for _ in range(turns % 4):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    await task
                    put.append(text)
                except asyncio.CancelledError:
                    await asyncio.sleep(0)
        lines.end_input()

    async def read() -> None:
        turns = 0
        while len(taken) < count:
            task = asyncio.create_task(lines.get())
            turns += 1
            for _ in range(turns % 5):
                await asyncio.sleep(0)
            task.cancel()
            try:
                taken.append(await task)
            except asyncio.CancelledError:
                await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE * 2):
        await asyncio.gather(write(), read())
        with pytest.raises(ConnectionLost, match="exit code 0"):
            await lines.get()
    assert taken == put


async def test_what_cannot_be_started(tmp_path: Any) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        await ProcessLines("no-such-program --option").start()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        await ProcessLines([sys.executable], cwd=tmp_path / "nowhere").start()
    assert set(os.listdir("/proc/self/fd")) <= before
    commands: list[str | list[str]] = ["", [], "'open"]
    for command in commands:
        with pytest.raises(ValueError):
            ProcessLines(command)
    with pytest.raises(ValueError, match="utf-16"):
        ProcessLines("cat", encoding="utf-16")
    with pytest.raises(LookupError):
        ProcessLines("cat", errors="nonsense")
    with pytest.raises(Closed, match="not started"):
        await ProcessLines("cat").get()
