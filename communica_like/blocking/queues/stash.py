"""Stash: messages that were taken from a queue by calls that were interrupted."""

from __future__ import annotations

import logging
import queue
import threading

from .raw import Message, MessageQueue

logger = logging.getLogger("communica_like.queues")


class Stash:
    """Messages for the next get of the same blocking queue, or to be put back into the queue.

    Args:
        core: the queue.

    Attributes:
        core: as above; replaced when the queue is opened anew.
        messages: the oldest first. Nearly always empty: check it before calling a method.
    """

    def __init__(self, core: MessageQueue) -> None:
        self.core = core
        self.messages: list[Message] = []
        self._lock = threading.Lock()

    def add(self, message: Message) -> None:
        """Add a message."""
        with self._lock:
            self.messages.append(message)

    def take(self, box: list[Message], message_type: int = 0) -> bool:
        """Append a message of that type (msgrcv(2)) to *box*; return whether there was one."""
        with self._lock:
            fitting = [
                (its_type if message_type < 0 else 0, place)
                for place, (_, its_type) in enumerate(self.messages)
                if (its_type <= -message_type if message_type < 0 else message_type in (0, its_type))
            ]
            if fitting:
                box.extend(map(self.messages.pop, (min(fitting)[1],)))  # one call: see take_nowait
            return bool(fitting)

    def put_back(self) -> None:
        """Put back into the queue as many messages as it has room for."""
        with self._lock:
            if not self.messages:
                return
            core, closed = self.core, self.core.closed
            try:
                if closed:
                    core = core.reopened()
                while self.messages:
                    core.put_back(self.messages[0])
                    del self.messages[0]
            except queue.Full:
                pass
            except FileNotFoundError:
                self.messages.clear()  # the queue was removed, with its items
            finally:
                if closed and core is not self.core:
                    core.close()

    def give_up(self) -> None:
        """Put all messages back at the end, and log those that do not fit."""
        self.put_back()
        if self.messages:
            logger.error("%d items of interrupted calls are lost: the queue is full", len(self.messages))

    def forget(self) -> None:
        """Drop all messages, in a forked child: they are the parent's."""
        self._lock = threading.Lock()
        self.messages.clear()
