"""Worker: every sentence of what it promises, with real programs."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from communica_like.blocking import Portal, Worker
from communica_like.exceptions import Closed, ConnectionLost, SerializerError
from tests.blocking.scene import PATIENCE, Scene, gone, soon
from tests.queues.process.programs import CAT, DEAF, FOREVER, lives

LOOP = "communica_like portal"


@pytest.fixture
def make() -> Iterator[Callable[..., Worker]]:
    made = []

    def make(program: str, *args: Any, **options: Any) -> Worker:
        made.append(Worker([sys.executable, "-c", program], *args, **options))
        return made[-1]

    yield make
    for worker in made:
        worker.stop()
    assert gone(LOOP)


def pid_of(worker: Worker) -> int:
    pid = worker._core._lines.pid
    assert pid is not None
    return pid


def test_it_starts_by_itself_and_lines_come_back(make: Callable[..., Worker]) -> None:
    got: queue.Queue[str] = queue.Queue()
    worker = make(CAT, got.put_nowait)
    assert worker.running
    items = [5, 2.5, None, "ünï", "", "two words", [1], "x" * 300_000]
    for item in items:
        worker.send(item)
        assert got.get(timeout=PATIENCE) == str(item)
        assert worker.data == str(item)
    pid = pid_of(worker)
    worker.stop()
    assert (worker.running, worker.data, lives(pid)) == (False, None, False)
    worker.stop()
    with pytest.raises(Closed):
        worker.send(1)


def test_start_false(make: Callable[..., Worker]) -> None:
    worker = make(CAT, start=False)
    assert (worker.running, worker.data) == (False, None)
    with pytest.raises(Closed, match="not started"):
        worker.send(1)
    worker.stop()
    worker.start()
    pid = pid_of(worker)
    worker.start()  # it runs
    assert (worker.running, pid_of(worker)) == (True, pid)
    worker.send("once")
    soon(lambda: worker.data == "once")
    worker.stop()
    worker.start()
    assert (worker.running, worker.data) == (True, None)
    assert pid_of(worker) != pid


def test_with(make: Callable[..., Worker]) -> None:
    for start in (True, False):
        with make(CAT, start=start) as worker:
            worker.send("x")
            soon(partial(lambda worker: worker.data == "x", worker))
            pid = pid_of(worker)
        assert (worker.running, lives(pid)) == (False, False)


def test_the_commands(tmp_path: Path) -> None:
    program = tmp_path / "with space"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\n")
    program.chmod(0o755)
    plain = tmp_path / "plain"
    plain.write_bytes(program.read_bytes())
    plain.chmod(0o755)
    for command, said in [
        ([str(program), "spaced arg"], "['spaced arg']"),
        (f"{plain} one  two", "['one', 'two']"),
        (f"{plain} 'quoted arg'", """["'quoted", "arg'"]"""),
    ]:
        with Worker(command) as worker:
            soon(partial(lambda worker: worker.data, worker))
            assert worker.data == said
    with pytest.raises(FileNotFoundError):
        Worker(f"{program}")
    with pytest.raises(FileNotFoundError):
        Worker(["/no/such/program"])
    empties: list[Any] = ["", "  ", []]
    for empty in empties:
        with pytest.raises(ValueError):
            Worker(empty)
    assert gone(LOOP)


@pytest.mark.parametrize(
    "callback",
    [lambda: None, lambda a, b: None, lambda a, b=1: None, lambda *, a: None, 5, "print"],
)
def test_a_callback_has_exactly_one_argument(callback: Any) -> None:
    with pytest.raises(TypeError):
        Worker([sys.executable, "-c", CAT], callback)
    assert gone(LOOP)


def test_an_async_callback_is_refused() -> None:
    async def callback(line: str) -> None: ...

    with pytest.raises(TypeError, match="plain"):
        Worker([sys.executable], callback, start=False)


@pytest.mark.parametrize("callback", [lambda line: None, [].append, print, len, queue.Queue().put_nowait])
def test_what_is_a_callback(callback: Any) -> None:
    assert not Worker([sys.executable], callback, start=False).running


def test_the_callback_may_send_and_block_and_stop(make: Callable[..., Worker]) -> None:
    names = []
    worker: Worker

    def count(line: str) -> None:
        names.append(threading.current_thread().name)
        if int(line) < 20:
            worker.send(int(line) + 1)
        else:
            worker.stop()

    worker = make(CAT, count, start=False)
    worker.start()
    worker.send(0)
    soon(lambda: not worker.running)
    assert names == ["communica_like handler"] * 21
    soon(lambda: gone(LOOP))


@pytest.mark.parametrize(
    "kind", [ValueError, SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit, asyncio.CancelledError]
)
def test_a_callback_that_raises_is_logged(
    make: Callable[..., Worker],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    kind: type[BaseException],
) -> None:
    got: queue.Queue[str] = queue.Queue()

    def callback(line: str) -> None:
        if line == "bad":
            raise kind("no good")
        got.put(line)

    worker = make(CAT, callback)
    for line in ("bad", "good"):
        worker.send(line)
    assert got.get(timeout=PATIENCE) == "good"
    assert "the callback failed" in caplog.text
    assert "no good" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_all_lines_in_order_and_the_last_without_a_newline(make: Callable[..., Worker]) -> None:
    got: list[str] = []
    worker = make("for n in range(5000): print(n)\nprint('end', end='')", got.append)
    soon(lambda: len(got) == 5001)
    assert got == [*map(str, range(5000)), "end"]
    soon(lambda: not worker.running)
    assert worker.data == "end"
    with pytest.raises(ConnectionLost, match="exit code 0"):
        worker.send("late")


def test_a_slow_callback_slows_the_program(make: Callable[..., Worker]) -> None:
    go = threading.Event()
    got: list[str] = []

    def callback(line: str) -> None:
        go.wait(PATIENCE)
        got.append(line[:6])

    program = "import sys\nfor n in range(300):\n    print('%06d' % n + 'x' * 10_000, flush=True)"
    worker = make(program, callback, max_waiting_bytes=50_000)
    soon(lambda: worker.data)
    assert worker.running, "the rest waits in the pipe, and the program with it"
    go.set()
    soon(lambda: len(got) == 300)
    assert got == [f"{n:06}" for n in range(300)]


def test_a_program_that_does_not_read(make: Callable[..., Worker]) -> None:
    worker = make(FOREVER, stop_timeout=0.2)
    with pytest.raises(queue.Full):
        for _ in range(100):
            worker.send("x" * 10_000, timeout=0.05)
    waiting: list[BaseException] = []

    def send() -> None:
        try:
            worker.send("y" * 100_000, None)
        except BaseException as error:
            waiting.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    soon(lambda: len(worker._core._lines._putters))
    worker.stop()
    thread.join(PATIENCE)
    assert [type(error) for error in waiting] == [Closed]


def test_bad_data(make: Callable[..., Worker]) -> None:
    worker = make(CAT)
    with pytest.raises(SerializerError):
        worker.send("two\nlines")
    worker.send("good")
    soon(lambda: worker.data == "good")


def test_bytes_that_are_not_text(make: Callable[..., Worker], caplog: pytest.LogCaptureFixture) -> None:
    program = "import sys; sys.stdout.buffer.write(b'\\xff\\ngood\\n'); sys.stdout.flush(); input()"
    got: list[str] = []
    make(program, got.append)
    soon(lambda: len(got) == 2)
    assert got == ["\udcff", "good"]
    strict = make(program, errors="strict")
    soon(lambda: strict.data == "good")
    assert "cannot be loaded" in caplog.text


def test_one_that_is_deaf_is_killed(make: Callable[..., Worker]) -> None:
    worker = make(DEAF, stop_timeout=0.1)
    soon(lambda: worker.data == "ready")
    pid = pid_of(worker)
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < 5
    assert not lives(pid)


def test_one_that_fails_or_is_killed(make: Callable[..., Worker], caplog: pytest.LogCaptureFixture) -> None:
    worker = make("import sys; print('so far'); sys.exit('it broke')")
    soon(lambda: "it broke" in caplog.text)
    assert "exit code 1" in caplog.text
    assert (worker.running, worker.data) == (False, "so far")
    worker = make(FOREVER, stop_timeout=0.2)
    os.kill(pid_of(worker), signal.SIGKILL)
    soon(lambda: "SIGKILL" in caplog.text)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    with pytest.raises(ConnectionLost):
        worker.send(1)
    worker.start()
    assert worker.running


def test_from_many_threads(make: Callable[..., Worker]) -> None:
    got: list[str] = []
    worker = make(CAT, got.append, portal=Portal())

    def send(number: int) -> None:
        for i in range(100):
            worker.send(f"{number} {i}", timeout=PATIENCE)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    soon(lambda: len(got) == 1000)
    assert sorted(got) == sorted(f"{n} {i}" for n in range(10) for i in range(100))
    for n in range(10):
        assert [line for line in got if line.startswith(f"{n} ")] == [f"{n} {i}" for i in range(100)]


def test_the_program_of_the_document(make: Callable[..., Worker]) -> None:
    """It sends while it runs, and reads the most recent line; here the program ends after ten."""
    received: list[str] = []
    worker = make("for _ in range(10): print(int(input()) * 2, flush=True)", received.append)
    sent = 0
    while worker.running:
        try:
            worker.send(sent)
        except ConnectionLost:
            break
        sent += 1
    soon(lambda: len(received) == 10)
    assert received == [str(2 * n) for n in range(10)]


# ------------------------------------------------------------------------- exit, Ctrl-C, fork

BEGIN = f"""
import os, signal, sys, threading, time
from communica_like.blocking import Worker
CAT, DEAF = {CAT!r}, {DEAF!r}
def tell(*words):
    print(*words, flush=True)
"""


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


@pytest.mark.parametrize("program", ["CAT", "DEAF"])
def test_nothing_is_left_at_exit(scene: Scene, program: str) -> None:
    text = f"worker = Worker([sys.executable, '-c', {program}], tell, stop_timeout=0.2)\n"
    script = scene.start(BEGIN + text + "tell('pid', worker._core._lines.pid)")
    while not (line := script.line()).startswith("pid "):  # the callback may be faster
        assert line == "ready"
    assert script.end() == 0
    assert not lives(int(line.split()[1]))
    assert "Traceback" not in script.stderr


def test_ctrl_c_while_it_sends(scene: Scene) -> None:
    text = """
worker = Worker([sys.executable, "-c", DEAF], stop_timeout=0.2)
tell(worker._core._lines.pid)
def watch():
    while not worker._core._lines._putters:
        time.sleep(0.001)
    tell("waiting")
threading.Thread(target=watch).start()
try:
    while True:
        worker.send("x" * 10_000, None)
except KeyboardInterrupt:
    tell("interrupted", worker.running)
worker.stop()
"""
    script = scene.start(BEGIN + text)
    pid = int(script.line())
    assert script.line() == "waiting"
    script.send(signal.SIGINT)
    assert script.rest() == ["interrupted True"]
    assert (script.end(), script.stderr) == (0, "")
    assert not lives(pid)


def test_ctrl_c_while_it_stops(scene: Scene) -> None:
    text = """
worker = Worker([sys.executable, "-c", DEAF], stop_timeout=60)
while not worker.data:
    time.sleep(0.001)
tell(worker._core._lines.pid)
def watch():
    while not worker._core._lines.closed:
        time.sleep(0.001)
    tell("stopping")
threading.Thread(target=watch).start()
try:
    worker.stop()
except KeyboardInterrupt:
    tell("interrupted", worker.running)
"""
    script = scene.start(BEGIN + text)
    pid = int(script.line())
    assert script.line() == "stopping"
    script.send(signal.SIGINT)
    assert script.rest() == ["interrupted False"]
    assert (script.end(), script.stderr) == (0, "")
    assert not lives(pid)


def test_fork(scene: Scene) -> None:
    text = """
worker = Worker([sys.executable, "-c", CAT])
if not os.fork():
    try:
        worker.send(1)
    except RuntimeError as error:
        tell("forked" in str(error), worker.running)
    worker.stop()
    with Worker([sys.executable, "-c", CAT]) as other:
        other.send("child")
        while not other.data:
            time.sleep(0.001)
        tell(other.data)
    sys.exit()
os.wait()
worker.send("parent")
while not worker.data:
    time.sleep(0.001)
tell(worker.data)
"""
    script = scene.start(BEGIN + "import warnings; warnings.simplefilter('ignore')\n" + text)
    assert script.rest() == ["True False", "child", "parent"]
    assert (script.end(), script.stderr) == (0, "")
