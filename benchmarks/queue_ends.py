"""What can be measured of a pair of queues, there and back, in two processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from time import perf_counter
from typing import Any, cast

__all__ = ["Blocking", "QueueEnds", "find_kind"]


class QueueEnds(ABC):
    """One process's handles on both queues. All contestants put and get the same items.

    Args:
        incoming, outgoing: the queues' addresses, which exist already. The other process has them the other
            way round. To measure ``ready``, both are one queue.
    """

    @abstractmethod
    def __init__(self, incoming: str, outgoing: str) -> None: ...

    @classmethod
    def hosting(cls, address: str) -> AbstractContextManager[Any]:
        """For a queue that lives in a process, not in the kernel: be that process, or start it."""
        return nullcontext()

    @abstractmethod
    def ready(self, items: Sequence[Any]) -> float:
        """Put and get one item after another, each there at once; return the seconds it took."""

    @abstractmethod
    def ping(self, count: int) -> list[float]:
        """Return the seconds that each of so many round trips took."""

    @abstractmethod
    def echo(self) -> None:
        """Put whatever comes in into the other queue; never return."""

    @abstractmethod
    def close(self) -> None:
        """Let go of both queues."""


class Blocking(QueueEnds):
    """For queues whose put and get block."""

    @abstractmethod
    def put(self, item: Any) -> None:
        """Put an item into the outgoing queue."""

    @abstractmethod
    def get(self) -> Any:
        """Wait for an item of the incoming one."""

    def ready(self, items: Sequence[Any]) -> float:
        put, get = self.put, self.get
        began = perf_counter()
        for item in items:
            put(item)
            get()
        return perf_counter() - began

    def ping(self, count: int) -> list[float]:
        put, get = self.put, self.get
        times = []
        for number in range(count):
            began = perf_counter()
            put(number)
            get()
            times.append(perf_counter() - began)
        return times

    def echo(self) -> None:
        while True:
            self.put(self.get())


def find_kind(path: str) -> type[QueueEnds]:
    """Return the class that ``module:class`` names."""
    module, _, name = path.partition(":")
    return cast(type[QueueEnds], getattr(import_module(module), name))
