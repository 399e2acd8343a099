"""Where queues are: a pair of them, there and back, which exists as long as the context lasts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Final

import posix_ipc
import sysv_ipc

__all__ = ["KEY", "POSIX_ITEMS", "POSIX_ITEM_SIZE", "fifo", "manager", "posix", "sysv"]

# The defaults of PosixMQ. A user may have nine such queues.
POSIX_ITEMS: Final = 10
POSIX_ITEM_SIZE: Final = 8192

KEY: Final = b"benchmark"
"""The authkey of all managers."""

_numbers = count()


@contextmanager
def posix(directory: str) -> Iterator[tuple[str, str]]:
    """Two names of POSIX queues."""
    number = next(_numbers)
    names = f"/benchmark-{os.getpid()}-{number}-there", f"/benchmark-{os.getpid()}-{number}-back"
    with ExitStack() as stack:
        for name in names:
            made = posix_ipc.MessageQueue(
                name, posix_ipc.O_CREX, 0o600, max_messages=POSIX_ITEMS, max_message_size=POSIX_ITEM_SIZE
            )
            stack.callback(posix_ipc.unlink_message_queue, name)
            made.close()
        yield names


@contextmanager
def sysv(directory: str) -> Iterator[tuple[str, str]]:
    """Two keys of System V queues."""
    with ExitStack() as stack:
        keys = []
        for _ in range(2):
            made = sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX, 0o600)
            stack.callback(made.remove)
            keys.append(str(made.key))
        yield keys[0], keys[1]


@contextmanager
def fifo(directory: str) -> Iterator[tuple[str, str]]:
    """Two paths of named pipes, which go with *directory*."""
    number = next(_numbers)
    paths = os.path.join(directory, f"there-{number}"), os.path.join(directory, f"back-{number}")
    for path in paths:
        os.mkfifo(path, 0o600)
    yield paths


@contextmanager
def manager(directory: str) -> Iterator[tuple[str, str]]:
    """The path of a manager's socket, and the names of two queues of it."""
    path = os.path.join(directory, f"manager-{next(_numbers)}")
    yield f"{path}#there", f"{path}#back"
