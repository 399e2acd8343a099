"""Connectors over what the kernel has, each at an address of its own."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from communica_like.abc import Connector
from communica_like.connectors import FifoConnector, PosixMQConnector, SysVConnector
from communica_like.queues import PosixMQ, SysVMQ

MakeConnector = Callable[[bytes | None], Connector]

NAMES = ("posixmq", "sysv", "fifo")


@contextmanager
def maker(medium: str) -> Iterator[MakeConnector]:
    """Give a function that makes connectors of this medium, for addresses that are free."""
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:

        def make(authkey: bytes | None = None) -> Connector:
            token = secrets.token_hex(6)
            if medium == "posixmq":
                return PosixMQConnector(f"/cl-test-{token}", authkey)
            if medium == "sysv":
                return SysVConnector(secrets.randbelow(2**31 - 1) + 1, authkey)
            return FifoConnector(str(Path(folder) / token), authkey)

        yield make


def still_there(entries: list[str]) -> list[str]:
    """Return which of the registry's entries (``"kind name"``) name something that exists."""
    return [entry for entry in entries if _exists(*entry.partition(" ")[::2])]


def _exists(kind: str, name: str) -> bool:
    try:
        if kind == "posixmq":
            PosixMQ(name, create=False).close()
        elif kind == "sysvmq":
            SysVMQ(int(name), create=False).close()
        else:
            os.lstat(name)
    except FileNotFoundError:
        return False
    return True
