"""What a queue is: items in, items out, and what it guarantees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

__all__ = ["AsyncQueue", "Guarantees"]


@dataclass(frozen=True, slots=True)
class Guarantees:
    """What sets one queue's medium apart from another's.

    Attributes:
        priority: items of higher ``priority=`` come first; among equals, the oldest.
        message_types: items have a ``message_type=``, and a reader may ask for some of them.
        persistent: items stay when all processes that had the queue open are gone.
        between_processes: other processes can open it.
        largest_item: bytes of the largest dumped item, or None if there is no limit but memory.
        capacity: how many items it holds, or None if that depends on their sizes, or has no limit.
        many_readers, many_writers: several may be at it at once, and each item goes to one of them.
    """

    priority: bool = False
    message_types: bool = False
    persistent: bool = False
    between_processes: bool = True
    largest_item: int | None = None
    capacity: int | None = None
    many_readers: bool = True
    many_writers: bool = True


class AsyncQueue(ABC):
    """A one-way channel of items, first in, first out, that may be full or empty.

    The ``_nowait`` methods are plain calls on the medium: any thread may make them, at any time (but for
    those of ProcessLines, which belong to its event loop). Those that wait belong to one event loop at a
    time; any number of its tasks may wait at once, and they are served in the order in which they came.

    Raises (all methods):
        Closed: ``close`` was called here, before or while a caller waited.
    """

    @property
    @abstractmethod
    def guarantees(self) -> Guarantees:
        """What this queue does, and what it does not."""

    @abstractmethod
    def put_nowait(self, item: Any, /) -> None:
        """Put an item into the queue.

        Raises:
            queue.Full: there is no room now.
            MessageTooBig: there never will be.
            SerializerError: the item cannot be dumped.
        """

    @abstractmethod
    def get_nowait(self) -> Any:
        """Take an item out of the queue.

        Raises:
            queue.Empty: there is none now.
            SerializerError: what is in the queue cannot be loaded. It is out of the queue now.
        """

    @abstractmethod
    async def put(self, item: Any, /, *, timeout: float | None = None) -> None:
        """Put an item into the queue, when there is room.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Full: there was no room in time.
            MessageTooBig, SerializerError: as ``put_nowait``; at once.

        If it is cancelled, the item was not put.
        """

    @abstractmethod
    async def get(self, *, timeout: float | None = None) -> Any:
        """Take an item out of the queue, when there is one.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Empty: there was none in time.
            SerializerError: as ``get_nowait``.

        If it is cancelled, or its time is over, no item was taken: all are still there for the next one.
        """

    @abstractmethod
    def qsize(self) -> int:
        """Return how many items are in the queue; it may be another number by now."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the queue; whoever waits here ends with Closed. Items stay where they are."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        """Iterate over the items as ``get`` gives them, until the queue is closed here."""
        return self

    @abstractmethod
    async def __anext__(self) -> Any: ...
