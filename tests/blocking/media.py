"""Blocking queues of this test's own, of each kind, which other processes can open."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory
from typing import Any, Self

from communica_like.blocking import pipes, posixmq, sysvmq
from tests.blocking.parked import parked
from tests.queues.media import new_name

__all__ = ["MEDIA", "PATIENCE", "Child", "opened", "until"]

PATIENCE = 20.0


def opened(name: str) -> Any:
    """Open a queue by ``posix:/NAME``, ``sysv:KEY`` or ``pipe:PATH``."""
    kind, _, where = name.partition(":")
    if kind == "posix":
        return posixmq.Queue(where, 5, 1024)
    if kind == "sysv":
        return sysvmq.Queue(int(where), 1024)
    pipe = pipes.SimplePipeQueue.pipequeue(where)
    fcntl.fcntl(pipe._core._read_end, fcntl.F_SETPIPE_SZ, 4096)
    return pipe


@contextlib.contextmanager
def posix() -> Iterator[str]:
    queue = posixmq.Queue(new_name(), 5, 1024)
    try:
        yield f"posix:{queue.name}"
    finally:
        queue.unlink()
        queue.close()


@contextlib.contextmanager
def sysv() -> Iterator[str]:
    queue = sysvmq.Queue(None, 1024)
    try:
        yield f"sysv:{queue.key}"
    finally:
        queue.close()


@contextlib.contextmanager
def pipe() -> Iterator[str]:
    with TemporaryDirectory(prefix="communica_like-") as folder:
        with pipes.SimplePipeQueue(f"{folder}/pipe"):
            yield f"pipe:{folder}/pipe"


MEDIA: dict[str, Callable[[], contextlib.AbstractContextManager[str]]]
MEDIA = {"posix": posix, "sysv": sysv, "pipe": pipe}


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that nobody tells of."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.001)


class Child:
    """A program of tests/blocking/child.py. Killed at the end."""

    def __init__(self, program: str, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.blocking.child", program, *map(str, arguments)]
        environment = {**os.environ, "PYTHONWARNINGS": "error"}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        assert text, "the program has ended; see its stderr"
        return text.strip()

    def has_spoken(self) -> bool:
        """Whether there is a line to come at once. It must not have printed two since the last was taken."""
        assert self.process.stdout is not None
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def until_parked(self) -> None:
        """Wait until its portal runs and its main thread sleeps."""
        until(lambda: parked(self.process.pid), "it waits")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
