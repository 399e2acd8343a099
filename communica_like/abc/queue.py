"""AsyncQueue: items in, items out. Guarantees: how queues differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

from ..exceptions import Closed


@dataclass(frozen=True, slots=True)
class Guarantees:
    """How one queue differs from another. What all queues promise is not listed.

    Attributes:
        priority: items of higher ``priority=`` come first; among equals, the oldest.
        message_types: items have a ``message_type=``, and a reader may ask for certain types.
        persistent: items stay when all processes that had the queue open are gone.
        between_processes: other processes can open it.
        largest_item: bytes of the largest dumped item; None: limited by memory alone.
        capacity: how many items it holds; None: it depends on their sizes, or has no limit.
        many_readers: several processes may get at once, and each item goes to one of them.
    """

    priority: bool = False
    message_types: bool = False
    persistent: bool = False
    between_processes: bool = True
    largest_item: int | None = None
    capacity: int | None = None
    many_readers: bool = True


class AsyncQueue(ABC):
    """A one-way channel of items, first in, first out, that may be full or empty.

    Items are dumped to bytes and loaded by the queue's serializer. Any thread may call the ``_nowait``
    methods and ``qsize`` at any time, except for those of ProcessLines, which belongs to one event loop. The
    methods that wait belong to one event loop at a time. Any number of its tasks may wait at once, and they
    are served in the order in which they came.

    All methods raise ``Closed`` after ``close`` was called on this object, and so do callers that wait then.
    """

    @property
    @abstractmethod
    def guarantees(self) -> Guarantees:
        """How this queue differs from others."""

    @abstractmethod
    def put_nowait(self, item: Any, /) -> None:
        """Put an item into the queue.

        Raises:
            queue.Full: there is no room now.
            MessageTooBig: the item is larger than the queue accepts.
            SerializerError: the item cannot be dumped.
        """

    @abstractmethod
    def get_nowait(self) -> Any:
        """Remove an item from the queue and return it.

        Raises:
            queue.Empty: there is none now.
            SerializerError: the item cannot be loaded. It has been removed.
        """

    @abstractmethod
    async def put(self, item: Any, /, *, timeout: float | None = None) -> None:
        """Wait for room, then put an item into the queue. If it is cancelled, the item was not put.

        Args:
            item: dumped at once, in the caller's step.
            timeout: seconds to wait; 0: one attempt; None: as long as it takes.

        Raises:
            queue.Full: there was no room in time.
            MessageTooBig, SerializerError: as ``put_nowait``, without waiting.
        """

    @abstractmethod
    async def get(self, *, timeout: float | None = None) -> Any:
        """Wait for an item, then remove it from the queue and return it.

        If it is cancelled or times out, no item was removed: the next ``get`` finds them all.

        Args:
            timeout: seconds to wait; 0: one attempt; None: as long as it takes.

        Raises:
            queue.Empty: there was none in time.
            SerializerError: as ``get_nowait``.
        """

    @abstractmethod
    def qsize(self) -> int:
        """Return how many items are in the queue. Other threads and processes may change that at any time."""

    @abstractmethod
    def close(self) -> None:
        """Close this end of the queue. Callers that wait here get ``Closed``; items stay in the medium."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        """Iterate over items as ``get`` returns them, until the queue is closed here."""
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.get()
        except Closed:
            raise StopAsyncIteration from None
