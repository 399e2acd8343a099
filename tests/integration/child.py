"""A program of ``programs/`` as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import communica_like

__all__ = ["Child", "live_processes"]

_PROGRAMS = Path(__file__).parent / "programs"


class Child:
    """Runs a program, from ``async with`` until its end, at which it is killed if it still lives.

    Args:
        program: the name of a file in ``programs/``, without ``.py``.
        args: its arguments, as text.
        session: whether it leads a session of its own, all of which is killed at the end.
    """

    def __init__(self, program: str, *args: object, session: bool = False) -> None:
        self._command = [sys.executable, str(_PROGRAMS / f"{program}.py"), *map(str, args)]
        self._session = session
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._stderr = bytearray()

    async def __aenter__(self) -> Self:
        env = dict(os.environ)
        env["PYTHONPATH"] = str(Path(communica_like.__file__).parents[1])
        env["PYTHONUNBUFFERED"] = "1"
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            start_new_session=self._session,
        )
        self._reading = asyncio.get_running_loop().create_task(self._read_stderr())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self.process
        if process.returncode is None:
            process.kill()
        if self._session:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        await process.wait()
        assert self._reading is not None
        await self._reading
        if error is not None and self._stderr:
            error.add_note(f"stderr of {self._command[1:]}:\n{self.stderr[-4000:]}")

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The process."""
        assert self._process is not None, "use 'async with'"
        return self._process

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    @property
    def stderr(self) -> str:
        """What it wrote to stderr so far; without warnings of slow handlers: a busy machine has many."""
        lines = self._stderr.decode("utf-8", "replace").splitlines(keepends=True)
        return "".join(line for line in lines if "held up the event loop" not in line)

    async def line(self, timeout: float = 20.0) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(timeout):
                line = await self.process.stdout.readline()
        except TimeoutError:
            raise AssertionError(f"no line within {timeout} s; stderr: {self.stderr}") from None
        assert line, f"it ended without a line; stderr: {self.stderr}"
        return line.decode().rstrip("\n")

    async def lines_until(self, last: str, timeout: float = 20.0) -> list[str]:
        """Return the lines before the line *last*."""
        lines: list[str] = []
        while (line := await self.line(timeout)) != last:
            lines.append(line)
        return lines

    async def end(self, timeout: float = 20.0) -> int:
        """Wait until it ends; return its exit code."""
        try:
            async with asyncio.timeout(timeout):
                code = await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"it lives on after {timeout} s; stderr: {self.stderr}") from None
        assert self._reading is not None
        await self._reading
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """Kill it, even if it is stopped, and wait for its end."""
        self.process.kill()
        await self.process.wait()

    def resident(self) -> int:
        """Return the bytes of memory that it occupies."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def worked(self) -> float:
        """Return for how many seconds it has kept a processor busy."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def stopped(self) -> None:
        """Stop it, and wait until the kernel says that it stands still."""
        self.send(signal.SIGSTOP)
        stat = Path(f"/proc/{self.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            await asyncio.sleep(0.001)

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        while data := await self.process.stderr.read(4096):
            self._stderr += data


def live_processes(pids: list[int]) -> Iterator[int]:
    """Return those of *pids* that live, zombies excepted."""
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            continue
        if state != "Z":
            yield pid
