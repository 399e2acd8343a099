"""MessageQueue: an async queue of undecoded messages, the core of a blocking queue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from ...queues.base import WaitingQueue

Message = tuple[bytes, int]
"""An item's bytes, and its priority or message type."""


class MessageQueue(WaitingQueue, ABC):
    """A mixin that makes the async queue of a medium put bytes and get messages.

    Name it before the medium's class. Blocking queues dump and load on the calling thread, and stash messages
    whose caller was interrupted.
    """

    def _dump(self, item: Any) -> bytes:
        self._check_open()
        data: bytes = item
        return data

    def _load(self, data: Any) -> Any:
        return data

    def _receive(self, *wanted: int) -> Any:
        box: list[Message] = []
        self.take_nowait(box, *wanted)
        return box[0]

    @abstractmethod
    def take_nowait(self, box: list[Message]) -> None:
        """Take a message, and append it to *box*.

        One call of a function written in C takes it from the medium and appends it, so that a signal handler
        that raises right afterwards cannot lose it. Handlers run in the main thread only.

        Raises:
            queue.Empty: there is none now.
        """

    @abstractmethod
    def put_back(self, message: Message) -> None:
        """Put a message back into the queue.

        Raises:
            queue.Full: there is no room now.
        """

    @abstractmethod
    def reopened(self) -> Self:
        """Open the same queue again, because this one is closed or belongs to the parent of a fork.

        Raises:
            FileNotFoundError: the queue, or its name, was removed.
        """

    @abstractmethod
    def abandon(self) -> None:
        """Close this process's descriptors, without touching the parent's event loop."""
