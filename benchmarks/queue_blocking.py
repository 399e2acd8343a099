"""The library's blocking queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from time import perf_counter
from typing import Any, cast

from benchmarks.queue_ends import Blocking
from benchmarks.queue_media import KEY, POSIX_ITEM_SIZE, POSIX_ITEMS
from communica_like.blocking import pipes, posixmq, sysvmq

__all__ = ["Manager", "Pipe", "Posix", "SysV"]


class _Ours(Blocking):
    incoming: Any
    outgoing: Any

    def __init__(self, incoming: str, outgoing: str) -> None:
        self.incoming, self.outgoing = self.open(incoming), self.open(outgoing)

    def open(self, address: str) -> Any:
        """Open a queue that exists."""
        raise NotImplementedError

    def put(self, item: Any) -> None:
        self.outgoing.put(item)

    def get(self) -> Any:
        return self.incoming.get()

    def close(self) -> None:
        self.incoming.close()
        self.outgoing.close()


class Posix(_Ours):
    """blocking.posixmq."""

    def open(self, address: str) -> Any:
        return posixmq.Queue(address, POSIX_ITEMS, POSIX_ITEM_SIZE)


class SysV(_Ours):
    """blocking.sysvmq."""

    def open(self, address: str) -> Any:
        return sysvmq.Queue(int(address))

    def close(self) -> None:
        self.incoming.close(remove=False)
        self.outgoing.close(remove=False)


class Pipe(_Ours):
    """blocking.pipes."""

    def open(self, address: str) -> Any:
        return pipes.SimplePipeQueue.pipequeue(address)

    def put(self, item: Any) -> None:
        self.outgoing.put_nowait(item)

    def ready(self, items: Sequence[Any]) -> float:
        put, get = self.outgoing.put_nowait, self.incoming.get  # without a layer between, as the original's
        began = perf_counter()
        for item in items:
            put(item)
            get()
        return perf_counter() - began


class Manager(_Ours):
    """blocking.manager."""

    def open(self, address: str) -> Any:
        path, _, name = address.partition("#")
        return _managers().QueueManagerClient(path, KEY).get_queue(name)

    @classmethod
    def hosting(cls, address: str) -> AbstractContextManager[Any]:
        host: Callable[..., Any] = _managers().QueueManagerServer
        return cast(AbstractContextManager[Any], host(address.partition("#")[0], KEY))

    def close(self) -> None:
        """The queues are the host's."""


def _managers() -> Any:
    return import_module("communica_like.blocking.manager")
