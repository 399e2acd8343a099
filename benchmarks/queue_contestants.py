"""Queues of the kernel: by hand on the raw medium, and as the library has them.

All put and get the same pickled number. Each is a pair of queues, there and back, made anew for each round.
"""

from __future__ import annotations

import asyncio
import os
import pickle
from abc import ABC, abstractmethod
from typing import Any, Final

import posix_ipc
import sysv_ipc

from communica_like.queues import PosixMQ, SysVMQ

__all__ = ["CONTESTANTS", "FLOOR", "QueuePair"]

STOP: Final = -1
FLOOR: Final = 1.4
"""How much longer than by hand a round trip through the library may take."""


class QueuePair(ABC):
    """Two queues between this process and a forked child, which echoes."""

    @abstractmethod
    def ready(self, count: int) -> None:
        """Put and get an item that is there at once, so many times, on one queue."""

    @abstractmethod
    def echo(self) -> None:
        """The child: give back all items up to STOP."""

    @abstractmethod
    def ping(self, count: int, clock: Any) -> list[float]:
        """Return the seconds that each of so many round trips took, then stop the child."""

    @abstractmethod
    def remove(self) -> None:
        """Leave nothing in the kernel."""


class PosixByHand(QueuePair):
    """posix_ipc and ``add_reader``."""

    def __init__(self) -> None:
        self.there, self.back = (
            posix_ipc.MessageQueue(f"/benchmark-{os.getpid()}-{way}", posix_ipc.O_CREX, 0o600, 10, 8192)
            for way in ("there", "back")
        )
        self.there.block = self.back.block = False

    def ready(self, count: int) -> None:
        for number in range(count):
            self.there.send(pickle.dumps(number, 1))
            pickle.loads(self.there.receive()[0])

    def echo(self) -> None:
        asyncio.run(self._echo())

    async def _echo(self) -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def readable() -> None:
            data, _ = self.there.receive()
            number = pickle.loads(data)
            if number == STOP:
                done.set_result(None)
            else:
                self.back.send(pickle.dumps(number, 1))

        loop.add_reader(self.there.mqd, readable)
        await done
        loop.remove_reader(self.there.mqd)

    def ping(self, count: int, clock: Any) -> list[float]:
        return asyncio.run(self._ping(count, clock))

    async def _ping(self, count: int, clock: Any) -> list[float]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any]

        def readable() -> None:
            answer.set_result(pickle.loads(self.back.receive()[0]))

        loop.add_reader(self.back.mqd, readable)
        times = []
        for number in range(count):
            answer = loop.create_future()
            began = clock()
            self.there.send(pickle.dumps(number, 1))
            await answer
            times.append(clock() - began)
        loop.remove_reader(self.back.mqd)
        self.there.send(pickle.dumps(STOP, 1))
        return times

    def remove(self) -> None:
        for queue in (self.there, self.back):
            queue.unlink()
            queue.close()


class SysVByHand(QueuePair):
    """sysv_ipc, blocking: there is nothing that an event loop could poll."""

    def __init__(self) -> None:
        self.there, self.back = (sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX, 0o600) for _ in range(2))

    def ready(self, count: int) -> None:
        for number in range(count):
            self.there.send(pickle.dumps(number, 1), False)
            pickle.loads(self.there.receive(False)[0])

    def echo(self) -> None:
        while (number := pickle.loads(self.there.receive()[0])) != STOP:
            self.back.send(pickle.dumps(number, 1))

    def ping(self, count: int, clock: Any) -> list[float]:
        times = []
        for number in range(count):
            began = clock()
            self.there.send(pickle.dumps(number, 1))
            pickle.loads(self.back.receive()[0])
            times.append(clock() - began)
        self.there.send(pickle.dumps(STOP, 1))
        return times

    def remove(self) -> None:
        self.there.remove()
        self.back.remove()


class _Library(QueuePair):
    there: PosixMQ | SysVMQ
    back: PosixMQ | SysVMQ

    def ready(self, count: int) -> None:
        for number in range(count):
            self.there.put_nowait(number)
            self.there.get_nowait()

    def echo(self) -> None:
        asyncio.run(self._echo())

    async def _echo(self) -> None:
        async for number in self.there:
            if number == STOP:
                return
            await self.back.put(number)

    def ping(self, count: int, clock: Any) -> list[float]:
        return asyncio.run(self._ping(count, clock))

    async def _ping(self, count: int, clock: Any) -> list[float]:
        times = []
        for number in range(count):
            began = clock()
            await self.there.put(number)
            await self.back.get()
            times.append(clock() - began)
        await self.there.put(STOP)
        return times

    def remove(self) -> None:
        for queue in (self.there, self.back):
            queue.unlink()
            queue.close()


class Posix(_Library):
    """PosixMQ."""

    def __init__(self) -> None:
        self.there, self.back = (PosixMQ(f"/benchmark-{os.getpid()}-our-{way}") for way in ("there", "back"))


class SysV(_Library):
    """SysVMQ."""

    def __init__(self) -> None:
        self.there, self.back = SysVMQ(), SysVMQ()


CONTESTANTS: Final[list[tuple[str, type[QueuePair], type[QueuePair]]]] = [
    ("PosixMQ", PosixByHand, Posix),
    ("SysVMQ", SysVByHand, SysV),
]
"""What it is called, the medium by hand, and the library."""
