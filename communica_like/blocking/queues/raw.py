"""An async queue of messages as the medium has them: what a blocking queue is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from ...queues.base import WaitingQueue

__all__ = ["Message", "MessageQueue"]

Message = tuple[bytes, int]
"""An item as the medium has it, and its priority, or its message type."""


class MessageQueue(WaitingQueue, ABC):
    """Comes before the async class of a medium among the bases: puts bytes, and gets messages.

    Blocking queues dump and load on the calling thread, and keep messages that nobody has got.
    """

    def _dump(self, item: Any) -> bytes:
        self._check_open()
        data: bytes = item
        return data

    def _load(self, data: Any) -> Any:
        return data

    def _receive(self) -> Any:
        box: list[Message] = []
        self.take_nowait(box)
        return box[0]

    @abstractmethod
    def take_nowait(self, box: list[Message]) -> None:
        """Take a message, and put it into the list.

        It goes there in the same call of a function written in C that takes it out of the medium: so it is
        there also when a signal's handler raises something right afterwards. Other threads than the main one
        run no handlers, and need no care.

        Raises:
            queue.Empty: there is none now.
        """

    @abstractmethod
    def put_back(self, message: Message) -> None:
        """Put a message where others find it.

        Raises:
            queue.Full: there is no room now.
        """

    @abstractmethod
    def reopened(self) -> Self:
        """Return the same queue anew: this one is closed, or belongs to the process that forked this one.

        Raises:
            FileNotFoundError: the queue is gone, or its name is.
        """

    @abstractmethod
    def abandon(self) -> None:
        """Close this process's descriptors, and touch nothing that belongs to an event loop of the parent."""
