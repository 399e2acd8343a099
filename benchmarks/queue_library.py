"""The library's queues."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter, process_time
from typing import Any, Final

from benchmarks.queue_ends import QueueEnds
from benchmarks.queue_media import KEY
from communica_like.queues import ManagerQueue, PipeQueue, PosixMQ, QueueHost, SysVMQ

__all__ = ["Library", "Manager", "Pipe", "Posix", "SysV"]

WHAT_TIME: Final = -1
"""An item that is answered with the time at which it came."""

SETTLING: Final = 0.3  # seconds that a waiting get has for going to sleep


class Library(QueueEnds):
    """Any of the library's queues; a subclass says how one is opened."""

    def __init__(self, incoming: str, outgoing: str) -> None:
        self.incoming, self.outgoing = self.open(incoming), self.open(outgoing)

    @abstractmethod
    def open(self, address: str) -> Any:
        """Open a queue that exists."""

    def ready(self, items: Sequence[Any]) -> float:
        put, get = self.outgoing.put_nowait, self.incoming.get_nowait
        began = perf_counter()
        for item in items:
            put(item)
            get()
        return perf_counter() - began

    def echo(self) -> None:
        asyncio.run(self._echo())

    async def _echo(self) -> None:
        async for item in self.incoming:
            await self.outgoing.put(perf_counter() if item == WHAT_TIME else item)

    def ping(self, count: int) -> list[float]:
        return asyncio.run(self._ping(count))

    async def _ping(self, count: int) -> list[float]:
        times = []
        for number in range(count):
            began = perf_counter()
            await self.outgoing.put(number)
            await self.incoming.get()
            times.append(perf_counter() - began)
        return times

    def after_silence(self, count: int, silence: float) -> list[float]:
        """Return the seconds from put to get of so many items, each *silence* seconds after the last one."""
        return asyncio.run(self._after_silence(count, silence))

    async def _after_silence(self, count: int, silence: float) -> list[float]:
        times = []
        for _ in range(count):
            await asyncio.sleep(silence)
            began = perf_counter()  # on Linux the same clock in all processes
            await self.outgoing.put(WHAT_TIME)
            times.append(await self.incoming.get() - began)
        return times

    def idle(self, seconds: float) -> float:
        """Return the seconds of processor time that this process takes while a get waits that long."""
        return asyncio.run(self._idle(seconds))

    async def _idle(self, seconds: float) -> float:
        waiting = asyncio.create_task(self.incoming.get())
        await asyncio.sleep(SETTLING)
        began = process_time()
        await asyncio.sleep(seconds)
        took = process_time() - began
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        return took

    def close(self) -> None:
        self.incoming.close()
        self.outgoing.close()


class Posix(Library):
    """PosixMQ."""

    def open(self, address: str) -> PosixMQ:
        return PosixMQ(address, create=False)


class SysV(Library):
    """SysVMQ."""

    def open(self, address: str) -> SysVMQ:
        return SysVMQ(int(address), create=False)


class Pipe(Library):
    """PipeQueue."""

    def open(self, address: str) -> PipeQueue:
        return PipeQueue(address)


class Manager(Library):
    """ManagerQueue."""

    def open(self, address: str) -> ManagerQueue:
        path, _, name = address.partition("#")
        return ManagerQueue(path, KEY, name)

    @classmethod
    @contextmanager
    def hosting(cls, address: str) -> Iterator[QueueHost]:
        """Be the host of both queues."""
        with asyncio.Runner() as runner:
            host = QueueHost(address.partition("#")[0], KEY)
            runner.run(host.__aenter__())
            try:
                yield host
            finally:
                runner.run(host.close())
