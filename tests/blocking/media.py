"""Blocking queues of this test's own, of each kind, which other processes can open."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory
from typing import Any

from communica_like.blocking import pipes, posixmq, sysvmq
from tests.process import Program
from tests.queues.media import new_name

__all__ = ["MEDIA", "PATIENCE", "opened", "program", "until"]

PATIENCE = 40.0


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


def program(name: str, *arguments: object) -> Program:
    """Start a program of tests/blocking/child.py."""
    return Program("-m", "tests.blocking.child", name, *arguments, env={"PYTHONWARNINGS": "error"})
