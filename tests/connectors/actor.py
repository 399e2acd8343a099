"""One side of links, as a process of its own: ``python -m tests.connectors.actor PROGRAM URL MODE``."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sys
from typing import Any

from communica_like import connector_from
from communica_like.abc import Link, LinkReceiver
from communica_like.connectors import FifoConnector, SysVConnector
from communica_like.queues import PipeQueue, PosixMQ, SysVMQ
from communica_like.serializers import RawSerializer
from tests.process import AsyncProgram

__all__ = ["Actor"]

MIB = 2**20


class Actor(AsyncProgram):
    """Runs a program of this file.

    Args:
        program: ``"serve"``, ``"connect"``, ``"flood"`` the server's queue with garbage, or ``"lurk"``.
        url: of the connector.
        mode: what it does with its links: ``"idle"``, ``"echo"``, or ``"flood"``, with 64 MiB.
    """

    def __init__(self, program: str, url: str, mode: str = "idle") -> None:
        super().__init__("-m", "tests.connectors.actor", program, url, mode)


class Side:
    """A receiver that does as its mode says, and tells."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.link: Link
        self.over = asyncio.Event()
        self.left = 64 * MIB if mode == "flood" else 0

    def data_received(self, data: bytes) -> None:
        if self.mode == "echo":
            self.link.send(data)

    def link_writable(self) -> None:
        while self.left and self.link.writable:
            self.left -= 64 * 1024
            self.link.send(bytes(64 * 1024))

    def link_broken(self, error: Exception | None) -> None:
        print(f"broken {type(error).__name__}", flush=True)
        self.over.set()


async def serve(url: str, mode: str) -> None:
    def accept(link: Link) -> LinkReceiver:
        side = Side(mode)
        side.link = link
        print("linked", flush=True)
        asyncio.get_running_loop().call_soon(side.link_writable)
        return side

    await connector_from(url).listen(accept)
    print("serving", flush=True)
    await asyncio.get_running_loop().create_future()


async def connect(url: str, mode: str) -> None:
    side = Side(mode)
    side.link = await connector_from(url).connect(side)
    print("linked", flush=True)
    side.link_writable()
    await side.over.wait()


async def flood(url: str, mode: str) -> None:
    print("flooding", flush=True)
    medium: Any = connector_from(url)
    raw = RawSerializer()
    requests: Any
    if isinstance(medium, FifoConnector):
        requests = PipeQueue(medium.path, serializer=raw, create=False)
    elif isinstance(medium, SysVConnector):
        requests = SysVMQ(medium.key, serializer=raw, create=False)
    else:
        requests = PosixMQ(medium.name, serializer=raw, create=False)
    while True:
        with contextlib.suppress(queue.Full):
            requests.put_nowait(b"garbage")


async def lurk(url: str, mode: str) -> None:
    print("here", flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    programs: dict[str, Any] = {"serve": serve, "connect": connect, "flood": flood, "lurk": lurk}
    asyncio.run(programs[sys.argv[1]](*sys.argv[2:]))
