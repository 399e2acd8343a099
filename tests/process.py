"""Python programs in processes of their own, with which the tests talk in lines of text."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

__all__ = ["TIMEOUT", "AsyncProgram", "Program", "live_processes"]

# Seconds for one line, or for the end; a busy machine may need many of them.
TIMEOUT = 40.0
_POLL_INTERVAL = 0.002
_ROOT = Path(__file__).resolve().parents[1]


class _Process:
    """A process that leads a session of its own. Everything in its group is killed when ``with`` ends.

    Args:
        arguments: of python: ``"-m"`` and a module, ``"-c"`` and a text, or a file, then the program's own.
        cwd: the directory to run in, if not this process's own.
        env: added to the environment.
    """

    def __init__(
        self, *arguments: object, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._arguments = list(map(str, arguments))
        paths = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        # Not a pipe, which would have to be read all the time.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, *self._arguments],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **(env or {})},
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._stdin: IO[bytes] = self.process.stdin
        self._stdout: IO[bytes] = self.process.stdout
        self._unread = b""  # what came from stdout and was not returned yet

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def stderr(self) -> str:
        """What the program wrote to stderr, but for warnings of slow handlers: a busy machine has many."""
        text = os.pread(self._errors.fileno(), 2**24, 0).decode("utf-8", "replace")
        return "".join(line for line in text.splitlines(True) if "held up the event loop" not in line)

    def write(self, line: str) -> None:
        """Write a line to the program's stdin."""
        data = memoryview(line.encode() + b"\n")
        while data:
            data = data[os.write(self._stdin.fileno(), data) :]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        self.process.send_signal(number)

    def _is_asleep(self, threads: int) -> bool:
        folder = f"/proc/{self.pid}/task"
        return len(os.listdir(folder)) >= threads and _state(self.pid, self.pid) == "S"

    def _take_line(self) -> str | None:
        line, end, rest = self._unread.partition(b"\n")
        if not end:
            return None
        self._unread = rest
        return line.decode().rstrip("\r")

    def _take_all(self) -> list[str]:
        text, self._unread = self._unread.decode(), b""
        return text.splitlines()

    def _read(self) -> bool:
        """Read what stdout has, waiting for it; return False at its end."""
        data = os.read(self._stdout.fileno(), 2**16)
        self._unread += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    def _close(self, error: BaseException | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        if error is not None and (text := self.stderr):
            error.add_note(f"stderr of {self._arguments}:\n{text[-4000:]}")
        for file in (self._stdin, self._stdout, self._errors):
            file.close()


class Program(_Process):
    """A program for tests that block."""

    def line(self, timeout: float = TIMEOUT) -> str:
        """Return the next line of stdout."""
        deadline = time.monotonic() + timeout
        while (line := self._take_line()) is None:
            assert self._wait(deadline), f"no line within {timeout} s; stderr: {self.stderr}"
            assert self._read(), f"the program ended without a line; stderr: {self.stderr}"
        return line

    def has_line(self) -> bool:
        """Return whether stdout has more to read, without waiting for it."""
        return bool(self._unread) or self._wait(0)

    def rest(self, timeout: float = TIMEOUT) -> list[str]:
        """Wait for the end of stdout; return all lines that were not taken before."""
        deadline = time.monotonic() + timeout
        while True:
            assert self._wait(deadline), f"stdout goes on after {timeout} s; stderr: {self.stderr}"
            if not self._read():
                return self._take_all()

    def end(self, timeout: float = TIMEOUT) -> int:
        """Close stdin and wait until the program ends; return its exit code."""
        self._stdin.close()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the program runs on after {timeout} s; stderr: {self.stderr}") from None

    def kill(self) -> None:
        """Kill the program, even if it is stopped, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def until_asleep(self, threads: int = 1) -> None:
        """Wait until there are so many threads at least, and the main thread sleeps."""
        deadline = time.monotonic() + TIMEOUT
        while not self._is_asleep(threads):
            assert time.monotonic() < deadline, f"the program does not wait; stderr: {self.stderr}"
            time.sleep(_POLL_INTERVAL)

    def _wait(self, deadline: float) -> bool:
        left = max(deadline - time.monotonic(), 0)
        return bool(select.select([self._stdout], [], [], left)[0])


class AsyncProgram(_Process):
    """A program for tests with an event loop, which runs on while they wait."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    async def line(self, timeout: float = TIMEOUT) -> str:
        """Return the next line of stdout."""
        try:
            async with asyncio.timeout(timeout):
                while (line := self._take_line()) is None:
                    await self._readable()
                    assert self._read(), f"the program ended without a line; stderr: {self.stderr}"
        except TimeoutError:
            raise AssertionError(f"no line within {timeout} s; stderr: {self.stderr}") from None
        return line

    async def lines_until(self, last: str, timeout: float = TIMEOUT) -> list[str]:
        """Return the lines before the line *last*."""
        lines: list[str] = []
        while (line := await self.line(timeout)) != last:
            lines.append(line)
        return lines

    async def rest(self, timeout: float = TIMEOUT) -> list[str]:
        """Wait for the end of stdout; return all lines that were not taken before."""
        try:
            async with asyncio.timeout(timeout):
                await self._readable()
                while self._read():
                    await self._readable()
        except TimeoutError:
            raise AssertionError(f"stdout goes on after {timeout} s; stderr: {self.stderr}") from None
        return self._take_all()

    async def end(self, timeout: float = TIMEOUT) -> int:
        """Close stdin and wait until the program ends; return its exit code."""
        self._stdin.close()
        try:
            async with asyncio.timeout(timeout):
                while (code := self.process.poll()) is None:
                    await asyncio.sleep(_POLL_INTERVAL)
        except TimeoutError:
            raise AssertionError(f"the program runs on after {timeout} s; stderr: {self.stderr}") from None
        return code

    async def kill(self) -> None:
        """Kill the program, even if it is stopped, and wait until it is gone."""
        self.process.kill()
        await self.end()

    async def until_asleep(self, threads: int = 1) -> None:
        """Wait until there are so many threads at least, and the main thread sleeps."""
        async with asyncio.timeout(TIMEOUT):
            while not self._is_asleep(threads):
                await asyncio.sleep(_POLL_INTERVAL)

    async def stop(self) -> None:
        """Send SIGSTOP and wait until the kernel says that the program stands still."""
        self.send(signal.SIGSTOP)
        while _state(self.pid) != "T":
            await asyncio.sleep(_POLL_INTERVAL)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._stdout, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._stdout)


def _state(pid: int, thread: int | None = None) -> str:
    """Return what a process, or one thread of it, does: a letter, see proc(5)."""
    path = Path(f"/proc/{pid}/stat" if thread is None else f"/proc/{pid}/task/{thread}/stat")
    return path.read_text().rpartition(")")[2].split()[0]


def live_processes(pids: list[int]) -> Iterator[int]:
    """Yield those of *pids* that live, zombies excepted."""
    for pid in pids:
        try:
            if _state(pid) != "Z":
                yield pid
        except (FileNotFoundError, ProcessLookupError):
            pass
