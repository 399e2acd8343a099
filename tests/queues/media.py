"""One way of opening a queue twice, for each kind of queue."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any

from communica_like.abc import AsyncQueue, Serializer
from communica_like.queues import ManagerQueue, MemoryQueue, PipeQueue, PosixMQ, SysVMQ
from communica_like.queues.manager.server import QueueServer
from communica_like.serializers import LiteralSerializer

__all__ = ["MEDIA", "Medium", "new_name"]

_numbers = count()


def new_name() -> str:
    """A name for a queue that no other test has, in no other process."""
    return f"/communica_like-test-{os.getpid()}-{next(_numbers)}"


class Medium:
    """A queue of this test's own; *open* gives another handle on it. All are closed at the end.

    Attributes:
        kind: its key in MEDIA.
        name: what another process opens it by: see tests/queues/child.py.
    """

    def __init__(self, kind: str, name: str, opener: Callable[..., AsyncQueue]) -> None:
        self.kind = kind
        self.name = name
        self._opener = opener
        self._handles = contextlib.ExitStack()

    def open(self, serializer: Serializer | None = None) -> Any:
        """Open it, for 5 items of 1,024 bytes."""
        handle = self._opener(serializer)
        self._handles.callback(handle.close)
        return handle

    def close(self) -> None:
        """Close all handles."""
        self._handles.close()


@contextlib.contextmanager
def memory() -> Iterator[Medium]:
    """In this process: both ends are the same object."""
    made: list[MemoryQueue] = []

    def opener(serializer: Serializer | None) -> MemoryQueue:
        if not made or made[0].closed:
            made[:] = [MemoryQueue(5, 1024, serializer)]
        return made[0]

    medium = Medium("memory", "", opener)
    yield medium
    medium.close()


@contextlib.contextmanager
def posixmq() -> Iterator[Medium]:
    """A queue of the kernel, which goes at the end whatever happened."""
    name = new_name()
    medium = Medium("posixmq", name, lambda serializer: PosixMQ(name, 5, 1024, serializer))
    first = medium.open()
    try:
        yield medium
    finally:
        first.unlink()
        medium.close()


@contextlib.contextmanager
def sysvmq() -> Iterator[Medium]:
    """Another queue of the kernel; this kind is told its size in bytes."""
    made = SysVMQ(None, 5 * 1024)
    medium = Medium("sysvmq", str(made.key), lambda serializer: SysVMQ(made.key, None, serializer))
    try:
        yield medium
    finally:
        made.unlink()
        medium.close()
        made.close()


class _Long(LiteralSerializer):
    """Two items to a page: a pipe frees whole pages only."""

    def dump(self, obj: Any, /) -> bytes:
        return super().dump(obj).ljust(2047)


@contextlib.contextmanager
def pipe() -> Iterator[Medium]:
    """A named pipe of four pages."""
    with TemporaryDirectory(prefix="communica_like-") as folder:

        def opener(serializer: Serializer | None) -> PipeQueue:
            made = PipeQueue(f"{folder}/pipe", serializer=serializer or _Long())
            fcntl.fcntl(made._read_end, fcntl.F_SETPIPE_SZ, 4 * 4096)
            return made

        medium = Medium("pipe", f"{folder}/pipe", opener)
        try:
            yield medium
        finally:
            medium.close()


@contextlib.contextmanager
def manager() -> Iterator[Medium]:
    """A manager in threads of this process."""
    with TemporaryDirectory(prefix="communica_like-") as folder:
        server = QueueServer(f"{folder}/manager", b"key", 5)
        server.start()

        def opener(serializer: Serializer | None) -> ManagerQueue:
            return ManagerQueue(f"{folder}/manager", b"key", serializer=serializer, max_item_size=1024)

        medium = Medium("manager", f"{folder}/manager", opener)
        try:
            yield medium
        finally:
            medium.close()
            server.stop()


MEDIA = {"memory": memory, "posixmq": posixmq, "sysvmq": sysvmq, "pipe": pipe, "manager": manager}
