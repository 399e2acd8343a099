"""The packages that the library's queues are compatible with, as their own documentation uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from time import perf_counter
from typing import Any, cast

from benchmarks.queue_ends import Blocking, QueueEnds
from benchmarks.queue_media import KEY, POSIX_ITEM_SIZE, POSIX_ITEMS
from tests.interop.programs.turberfield_pipes import import_pipes

__all__ = ["Ipcq", "IpcqueuePosix", "IpcqueueSysV", "Turberfield"]


class _PutAndGet(Blocking):
    incoming: Any
    outgoing: Any

    def put(self, item: Any) -> None:
        self.outgoing.put(item)

    def get(self) -> Any:
        return self.incoming.get()

    def close(self) -> None:
        """Leave it to the end of the process: what is called close there removes some of the queues."""


class IpcqueuePosix(_PutAndGet):
    """ipcqueue.posixmq."""

    def __init__(self, incoming: str, outgoing: str) -> None:
        kind = import_module("ipcqueue.posixmq").Queue
        self.incoming, self.outgoing = (
            kind(name, POSIX_ITEMS, POSIX_ITEM_SIZE) for name in (incoming, outgoing)
        )

    def close(self) -> None:
        self.incoming.close()
        self.outgoing.close()


class IpcqueueSysV(_PutAndGet):
    """ipcqueue.sysvmq."""

    def __init__(self, incoming: str, outgoing: str) -> None:
        kind = import_module("ipcqueue.sysvmq").Queue
        self.incoming, self.outgoing = (kind(int(key)) for key in (incoming, outgoing))


class Turberfield(QueueEnds):
    """turberfield.utils.pipes: to wait the queue for asyncio, for the other's get raises on an empty pipe."""

    def __init__(self, incoming: str, outgoing: str) -> None:
        self.pipes = import_pipes()
        self.addresses = incoming, outgoing

    def ready(self, items: Sequence[Any]) -> float:
        with self.pipes.SimplePipeQueue(self.addresses[0]) as pipe:
            put, get = pipe.put_nowait, pipe.get
            began = perf_counter()
            for item in items:
                put(item)
                get()
            return perf_counter() - began

    def ping(self, count: int) -> list[float]:
        return asyncio.run(self._ping(count))

    async def _ping(self, count: int) -> list[float]:
        incoming, outgoing = self.addresses
        times = []
        with self.pipes.PipeQueue(incoming) as back, self.pipes.SimplePipeQueue(outgoing) as there:
            for number in range(count):
                began = perf_counter()
                there.put_nowait(number)
                await back.get()
                times.append(perf_counter() - began)
        return times

    def echo(self) -> None:
        asyncio.run(self._echo())

    async def _echo(self) -> None:
        incoming, outgoing = self.addresses
        with self.pipes.PipeQueue(incoming) as there, self.pipes.SimplePipeQueue(outgoing) as back:
            while True:
                back.put_nowait(await there.get())

    def close(self) -> None:
        pass  # each method has opened and closed them


class Ipcq(_PutAndGet):
    """ipcq, whose queues live in a process of its own."""

    def __init__(self, incoming: str, outgoing: str) -> None:
        self.incoming, self.outgoing = map(self._connect, (incoming, outgoing))

    @classmethod
    def _connect(cls, address: str) -> Any:
        path, _, name = address.partition("#")
        return import_module("ipcq").QueueManagerClient(path, authkey=KEY).get_queue(name)

    @classmethod
    def hosting(cls, address: str) -> AbstractContextManager[Any]:
        path = address.partition("#")[0]
        return cast(
            AbstractContextManager[Any], import_module("ipcq").QueueManagerServer(path, authkey=KEY)
        )
