"""The media by hand: what a program that needs nothing else would do.

Items are dumped as the library dumps them, as pickles of protocol 1 or as Python literals.
"""

from __future__ import annotations

import ast
import asyncio
import os
import pickle
import queue
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from multiprocessing.managers import BaseManager
from time import perf_counter
from typing import Any, Final, cast

import posix_ipc
import sysv_ipc

from benchmarks.queue_ends import Blocking, QueueEnds
from benchmarks.queue_media import KEY

__all__ = ["Fifo", "Manager", "Posix", "SysV"]

READ_SIZE: Final = 4096


class _Polled(QueueEnds):
    """``add_reader`` on the descriptor of the incoming queue."""

    @abstractmethod
    def fileno(self) -> int:
        """Return the descriptor."""

    @abstractmethod
    def put(self, item: Any) -> None:
        """Put an item, for which there is room."""

    @abstractmethod
    def get(self) -> Any:
        """Take an item, which is there."""

    def echo(self) -> None:
        asyncio.run(self._echo())

    async def _echo(self) -> None:
        put, get = self.put, self.get
        loop = asyncio.get_running_loop()
        loop.add_reader(self.fileno(), lambda: put(get()))
        await loop.create_future()

    def ping(self, count: int) -> list[float]:
        return asyncio.run(self._ping(count))

    async def _ping(self, count: int) -> list[float]:
        put, get = self.put, self.get
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any]
        loop.add_reader(self.fileno(), lambda: answer.set_result(get()))
        times = []
        for number in range(count):
            answer = loop.create_future()
            began = perf_counter()
            put(number)
            await answer
            times.append(perf_counter() - began)
        loop.remove_reader(self.fileno())
        return times


class Posix(_Polled):
    """posix_ipc and pickle."""

    def __init__(self, incoming: str, outgoing: str) -> None:
        self.incoming, self.outgoing = posix_ipc.MessageQueue(incoming), posix_ipc.MessageQueue(outgoing)
        self.incoming.block = self.outgoing.block = False

    def fileno(self) -> int:
        return int(self.incoming.mqd)

    def put(self, item: Any) -> None:
        self.outgoing.send(pickle.dumps(item, 1))

    def get(self) -> Any:
        return pickle.loads(self.incoming.receive()[0])

    def ready(self, items: Sequence[Any]) -> float:
        incoming, outgoing = self.incoming, self.outgoing
        began = perf_counter()
        for item in items:
            outgoing.send(pickle.dumps(item, 1))
            pickle.loads(incoming.receive()[0])
        return perf_counter() - began

    def close(self) -> None:
        self.incoming.close()
        self.outgoing.close()


class SysV(Blocking):
    """sysv_ipc and pickle, blocking: there is nothing that an event loop could poll."""

    def __init__(self, incoming: str, outgoing: str) -> None:
        self.incoming, self.outgoing = (sysv_ipc.MessageQueue(int(key)) for key in (incoming, outgoing))

    def put(self, item: Any) -> None:
        self.outgoing.send(pickle.dumps(item, 1))

    def get(self) -> Any:
        return pickle.loads(self.incoming.receive()[0])

    def ready(self, items: Sequence[Any]) -> float:
        incoming, outgoing = self.incoming, self.outgoing
        began = perf_counter()
        for item in items:
            outgoing.send(pickle.dumps(item, 1), False)
            pickle.loads(incoming.receive(False)[0])
        return perf_counter() - began

    def close(self) -> None:
        pass  # there is nothing to let go of


class Fifo(_Polled):
    """os.read and os.write on named pipes; items are Python literals, one to a line."""

    def __init__(self, incoming: str, outgoing: str) -> None:
        # Each end for itself, and a writer of our own, so that a reader never finds the end of the file.
        self.incoming = os.open(incoming, os.O_RDONLY | os.O_NONBLOCK)
        self.kept_open = os.open(incoming, os.O_WRONLY | os.O_NONBLOCK)
        self.other_reader = os.open(outgoing, os.O_RDONLY | os.O_NONBLOCK)
        self.outgoing = os.open(outgoing, os.O_WRONLY | os.O_NONBLOCK)

    def fileno(self) -> int:
        return self.incoming

    def put(self, item: Any) -> None:
        os.write(self.outgoing, repr(item).encode() + b"\n")

    def get(self) -> Any:
        return ast.literal_eval(os.read(self.incoming, READ_SIZE)[:-1].decode())

    def ready(self, items: Sequence[Any]) -> float:
        incoming, outgoing = self.incoming, self.outgoing
        began = perf_counter()
        for item in items:
            os.write(outgoing, repr(item).encode() + b"\n")
            ast.literal_eval(os.read(incoming, READ_SIZE)[:-1].decode())
        return perf_counter() - began

    def close(self) -> None:
        for descriptor in (self.incoming, self.kept_open, self.other_reader, self.outgoing):
            os.close(descriptor)


_queues: defaultdict[str, queue.Queue[Any]] = defaultdict(queue.Queue)  # in the manager's process


def _queue(name: str) -> queue.Queue[Any]:
    return _queues[name]


class _QueueManager(BaseManager):
    pass


_QueueManager.register("queue", _queue)


class Manager(Blocking):
    """multiprocessing's managers: proxies of a queue.Queue in the manager's process."""

    def __init__(self, incoming: str, outgoing: str) -> None:
        self.incoming, self.outgoing = map(self._connect, (incoming, outgoing))

    @classmethod
    def _connect(cls, address: str) -> Any:
        path, _, name = address.partition("#")
        manager = cast(Any, _QueueManager(path, authkey=KEY))
        manager.connect()
        return manager.queue(name)

    @classmethod
    def hosting(cls, address: str) -> AbstractContextManager[Any]:
        return _QueueManager(address.partition("#")[0], authkey=KEY)

    def put(self, item: Any) -> None:
        self.outgoing.put(item)

    def get(self) -> Any:
        return self.incoming.get()

    def close(self) -> None:
        pass  # the proxies go when nobody refers to them
