"""The two ends of links, for tests of connectors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from communica_like.abc import Connector, Link, LinkReceiver, Listener

PATIENCE = 40.0


class Recorder:
    """A receiver that keeps what it hears."""

    def __init__(self) -> None:
        self.data = b""
        self.broken = asyncio.Event()
        self.error: Exception | None = None
        self.writable = asyncio.Event()
        self.changed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.changed.set()

    def link_writable(self) -> None:
        self.writable.set()

    def link_broken(self, error: Exception | None) -> None:
        assert not self.broken.is_set(), "link_broken is the last call"
        self.error = error
        self.broken.set()

    async def until(self, size: int) -> bytes:
        """Wait for so many bytes."""
        async with asyncio.timeout(PATIENCE):
            while len(self.data) < size:
                self.changed.clear()
                await self.changed.wait()
        return self.data

    async def until_broken(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.broken.wait()


class Served:
    """A listener and the links that came in."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.recorders: list[Recorder] = []
        self.came = asyncio.Event()
        self.listener: Listener

    def accept(self, link: Link) -> LinkReceiver:
        self.links.append(link)
        self.recorders.append(Recorder())
        self.came.set()
        return self.recorders[-1]

    async def link(self, number: int = 0) -> tuple[Link, Recorder]:
        """Wait for the link of this number."""
        await eventually(lambda: len(self.links) > number)
        return self.links[number], self.recorders[number]


@contextlib.asynccontextmanager
async def serving(connector: Connector) -> AsyncIterator[Served]:
    """Serve, and close all in the end."""
    served = Served()
    served.listener = await connector.listen(served.accept)
    try:
        yield served
    finally:
        await served.listener.close()
        for link in served.links:
            link.abort()
        for recorder in served.recorders:
            await recorder.until_broken()


async def eventually(condition: Callable[[], object]) -> None:
    """Poll, with a deadline."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)
