"""Programs as text, run in processes of their own, and an address where they meet."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import communica_like

__all__ = ["PATIENCE", "SERVER", "Scene", "Script", "gone", "soon"]

PATIENCE = 20.0

# A server with an event loop. It prints what its handlers see.
SERVER = """
import asyncio, os, sys
from communica_like import Context, ReqError, RouteServer, connector_from

server = RouteServer(connector_from(sys.argv[1]), drain_timeout=2.0)
handler = server.routes.handler
notes = []
released = asyncio.Event()

@handler("echo")
def echo(data): return data

@handler("fail")
def fail(data): raise ReqError("no", code=7) if data == "politely" else ValueError(data)

@handler("slow")
async def slow(data):
    print("started", flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

@handler("note")
def note(data): notes.append(data)

@handler("notes")
def all_notes(_): return notes

@handler("hold")
async def hold(data): await released.wait()

@handler("release")
def release(_): released.set()

@handler("remaining")
def remaining(_, context): return context.remaining

@handler("call back")
async def call_back(data, context): return await server.request(*data, client_id=context.client_id)

@handler("pid")
def pid(_): return os.getpid()

async def main():
    async with server:
        print("serving", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


class Scene:
    """Starts scripts; at the end of its block all are killed, and nothing is left of them.

    Attributes:
        folder: a directory whose path is short enough for sockets in it.
        url: an address.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cl-"))
        self.url = f"local://{self.folder}/socket"
        self._scripts: list[Script] = []

    def start(self, text: str, *args: object) -> Script:
        """Run a program; its first argument is the address."""
        script = Script(text, self.url, *args)
        self._scripts.append(script)
        return script

    def serve(self) -> Script:
        """Start SERVER, and wait until it serves."""
        server = self.start(SERVER)
        assert server.line() == "serving"
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for script in self._scripts:
            script.kill()
            if error is not None and script.stderr:
                error.add_note(f"stderr of {script.process.pid}:\n{script.stderr[-4000:]}")
        shutil.rmtree(self.folder)


class Script:
    """A program as text, in a process of its own that leads a group of its own."""

    def __init__(self, text: str, *args: object) -> None:
        env = dict(os.environ, PYTHONPATH=str(Path(communica_like.__file__).parents[1]), PYTHONUNBUFFERED="1")
        self.process = subprocess.Popen(
            [sys.executable, "-c", text, *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            start_new_session=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._errors: list[str] = []
        self._threads = [threading.Thread(target=read) for read in (self._read_lines, self._read_errors)]
        for thread in self._threads:
            thread.start()

    @property
    def stderr(self) -> str:
        """What it wrote to stderr so far; all of it after ``end``."""
        return "".join(self._errors)

    def line(self, timeout: float = PATIENCE) -> str:
        """Return the next line that it prints."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no line within {timeout} s; stderr: {self.stderr}") from None
        assert line, f"it ended without a line; stderr: {self.stderr}"
        return line.rstrip("\n")

    def rest(self) -> list[str]:
        """Wait for the end of its output; return the lines of it that were not taken."""
        lines = []
        while line := self._lines.get(timeout=PATIENCE):
            lines.append(line.rstrip("\n"))
        return lines

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, timeout: float = PATIENCE) -> int:
        """Wait until it ends; return its exit code."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it lives on after {timeout} s; stderr: {self.stderr}") from None
        for thread in self._threads:
            thread.join(PATIENCE)
        return code

    def kill(self) -> None:
        """Kill it with its group. Does no harm when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for thread in self._threads:
            thread.join(PATIENCE)
        for file in (self.process.stdout, self.process.stderr):
            assert file is not None
            file.close()

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(iter(self.process.stderr.readline, ""))


def soon(true: Callable[[], object]) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def gone(name: str) -> bool:
    """Whether no thread has this name any more."""
    return all(thread.name != name for thread in threading.enumerate())
