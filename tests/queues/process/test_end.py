"""How the child of ProcessLines ends, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from communica_like.exceptions import ConnectionLost
from communica_like.queues.process.process_lines import ProcessLines
from tests.queues.process.programs import CAT, DEAF, FOREVER, PATIENCE, Start, got, lives, soon, starter


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with starter() as start:
        yield start


async def test_a_child_that_closes_its_pipes_and_runs_on(start: Start) -> None:
    lines = await start("import os\nos.close(0)\nos.close(1)\nimport signal\nsignal.pause()")
    with pytest.raises(ConnectionLost, match="closed its stdout, and runs on"):
        await got(lines)
    with pytest.raises(ConnectionLost, match="closed its stdin, and runs on"):
        await lines.put("x", timeout=PATIENCE)
    await lines.stop(0.01)
    assert lines.returncode == -signal.SIGTERM


async def test_a_child_that_ignores_sigterm(start: Start) -> None:
    lines = await start(DEAF)
    assert await got(lines) == "ready"
    await asyncio.wait_for(lines.stop(0.05), PATIENCE)
    assert lines.returncode == -signal.SIGKILL


async def test_a_flood_and_a_half_written_line_do_not_hold_up_the_end(start: Start) -> None:
    program = "for n in range(300_000): print(n)\nprint(len(input()))"
    lines = await start(program, stop_timeout=PATIENCE)
    await lines.put("x" * 1_000_000)
    await asyncio.wait_for(lines.aclose(), PATIENCE)
    assert lines.returncode == 0


GRANDCHILD = (
    "import subprocess, sys\n"
    "other = subprocess.Popen([sys.executable, '-c', {program!r}], start_new_session={escapes},"
    " stdout=subprocess.PIPE)\n"
    "other.stdout.readline()\n"
    "holder = subprocess.Popen(['sleep', '100'], start_new_session={escapes})\n"
    "print(other.pid, holder.pid, flush=True)\n"
    "{then}"
)


@pytest.mark.parametrize("then", ["", "input()"])
async def test_a_grandchild_holds_the_pipes(start: Start, then: str) -> None:
    lines = await start(GRANDCHILD.format(program=DEAF, escapes=False, then=then))
    pids = [int(pid) for pid in (await got(lines)).split()]
    if not then:
        with pytest.raises(ConnectionLost, match="exit code 0"):
            await got(lines)
    await asyncio.wait_for(lines.stop(0.2), PATIENCE)
    await soon(lambda: not any(map(lives, pids)))


@pytest.mark.parametrize("then", ["", "input()"])
async def test_a_grandchild_that_has_left_the_group(start: Start, then: str) -> None:
    lines = await start(GRANDCHILD.format(program=FOREVER, escapes=True, then=then))
    pids = [int(pid) for pid in (await got(lines)).split()]
    try:
        if not then:
            with pytest.raises(ConnectionLost, match="exit code 0"):
                await got(lines)
        await asyncio.wait_for(lines.stop(0.2), PATIENCE)
        assert lines.returncode is not None
        assert all(map(lives, pids))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


async def test_stop_that_is_cancelled_kills(start: Start) -> None:
    lines = await start(DEAF)
    assert await got(lines) == "ready"
    stopping = asyncio.create_task(lines.stop(PATIENCE))
    other = asyncio.create_task(lines.stop(PATIENCE))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert lines.returncode == -signal.SIGKILL
    await asyncio.wait_for(other, PATIENCE)


async def test_without_pidfd(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(pid: int) -> int:
        raise OSError

    monkeypatch.setattr(os, "pidfd_open", missing)
    lines = await start("print(input())")
    await lines.put("x")
    assert await got(lines) == "x"
    with pytest.raises(ConnectionLost, match="exit code 0"):
        await got(lines)
    lines = await start(DEAF)
    assert await got(lines) == "ready"
    await asyncio.wait_for(lines.stop(0.02), PATIENCE)
    assert lines.returncode == -signal.SIGKILL


async def test_no_descriptor_is_left(start: Start) -> None:
    before = set(os.listdir("/proc/self/fd"))
    for stop in (True, False):
        lines = await start(CAT)
        await lines.put("x")
        assert await got(lines) == "x"
        if stop:
            await lines.stop()
        else:
            lines.close()
    assert set(os.listdir("/proc/self/fd")) <= before


def test_the_child_ends_with_the_loop() -> None:
    kept = []

    async def main() -> None:
        kept.append(ProcessLines([sys.executable, "-c", DEAF]))
        await kept[0].start()
        await got(kept[0])

    asyncio.run(main())
    assert kept[0].returncode == -signal.SIGKILL
    with pytest.raises(ConnectionLost):
        kept[0].get_nowait()


def test_a_loop_that_is_just_closed() -> None:
    loop = asyncio.new_event_loop()
    lines = ProcessLines([sys.executable, "-c", DEAF])
    loop.run_until_complete(lines.start())
    pid = lines.pid
    loop.close()
    assert pid is not None
    del lines
    with pytest.warns(ResourceWarning, match="not stopped"):
        gc.collect()
    assert not lives(pid)


async def test_a_fork_does_not_keep_the_pipe_open(start: Start) -> None:
    lines = await start(CAT)
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    try:
        await asyncio.wait_for(lines.stop(PATIENCE), PATIENCE / 2)
        assert lines.returncode == 0
    finally:
        os.close(writing)
        os.close(reading)
        os.waitpid(pid, 0)


async def test_it_ends_with_this_process(start: Start) -> None:
    program = (
        "import asyncio, sys\n"
        "from communica_like.queues.process.process_lines import ProcessLines\n"
        f"lines = ProcessLines([sys.executable, '-c', {DEAF!r}])\n"
        "loop = asyncio.new_event_loop()\n"
        "loop.run_until_complete(lines.start())\n"
        "print(lines.pid, flush=True)\n"
    )
    lines = await start(program)
    pid = int(await got(lines))
    with pytest.raises(ConnectionLost, match="exit code 0"):
        await got(lines)
    assert not lives(pid)


async def test_an_on_stderr_that_closes_while_the_rest_is_read(start: Start) -> None:
    heard: list[bytes] = []

    def on_stderr(data: bytes) -> None:
        heard.append(data)
        lines.close()

    lines: ProcessLines = await start("import os; os.write(2, b'the end')", on_stderr=on_stderr)
    assert lines._child is not None
    assert lines.pid is not None
    os.waitid(os.P_PID, lines.pid, os.WEXITED | os.WNOWAIT)  # before the event loop reads its stderr
    lines._child.process._has_ended()
    assert heard == [b"the end"]
    assert lines.closed
