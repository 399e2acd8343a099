"""What tests of named pipes need: a program at the other end, and looks at what there is."""

from __future__ import annotations

import asyncio
import os
import queue
import stat
import subprocess
import sys
from typing import Any

from communica_like.queues import PipeQueue

__all__ = ["PATIENCE", "Child", "all_of", "fill", "open_pipes"]

PATIENCE = 20.0


class Child:
    """A program of tests/queues/pipe/child.py."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.queues.pipe.child", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    async def line(self) -> str:
        assert self.process.stdout is not None
        text = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.readline), PATIENCE)
        return text.strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def all_of(pipe: PipeQueue) -> list[Any]:
    """Take all items that are there."""
    found = []
    while True:
        try:
            found.append(pipe.get_nowait())
        except queue.Empty:
            return found


def open_pipes() -> set[int]:
    """Return the descriptors of pipes that this process has."""
    found = set()
    for name in os.listdir("/dev/fd"):
        try:
            if stat.S_ISFIFO(os.fstat(int(name)).st_mode):
                found.add(int(name))
        except OSError:
            pass  # the descriptor by which this list was made
    return found


def fill(pipe: PipeQueue) -> int:
    """Put 2,047-byte items until it is full; return how many."""
    for number in range(10_000):
        try:
            pipe.put_nowait(str(number).rjust(2045))
        except queue.Full:
            return number
    raise AssertionError("it is never full")
