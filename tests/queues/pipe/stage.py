"""What tests of named pipes need: a program at the other end, and looks at what there is."""

from __future__ import annotations

import os
import queue
import stat
from typing import Any

from communica_like.queues import PipeQueue
from tests.process import AsyncProgram

__all__ = ["PATIENCE", "all_of", "fill", "open_pipes", "program"]

PATIENCE = 40.0


def program(*arguments: object) -> AsyncProgram:
    """Start a program of tests/queues/pipe/child.py."""
    return AsyncProgram("-m", "tests.queues.pipe.child", *arguments)


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
