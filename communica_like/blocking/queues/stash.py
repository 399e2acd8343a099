"""Messages that were taken out of a queue for somebody who was interrupted."""

from __future__ import annotations

import logging
import queue
import threading

from .raw import Message, MessageQueue

__all__ = ["Stash"]

logger = logging.getLogger("communica_like.queues")


class Stash:
    """They go to the next get of the same blocking queue; or back into the queue.

    Args:
        core: the queue.

    Attributes:
        core: as above; to be exchanged when it is opened anew.
        messages: the oldest first. Empty nearly always: look here before any method is called.
    """

    def __init__(self, core: MessageQueue) -> None:
        self.core = core
        self.messages: list[Message] = []
        self._lock = threading.Lock()

    def add(self, message: Message) -> None:
        """Keep a message."""
        with self._lock:
            self.messages.append(message)

    def take(self, box: list[Message], message_type: int = 0) -> bool:
        """Put a message into the list; return whether there was one of that type: see msgrcv(2)."""
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
        """Put as many as it has room for back into the queue, where others find them."""
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
                self.messages.clear()  # the queue is gone, with all that is in it
            finally:
                if closed and core is not self.core:
                    core.close()

    def give_up(self) -> None:
        """The end: put them back, and say so if there is no room."""
        self.put_back()
        if self.messages:
            logger.error("%d items were lost: they were taken out, and the queue is full", len(self.messages))

    def forget(self) -> None:
        """This process was forked off; they are the parent's."""
        self._lock = threading.Lock()
        self.messages.clear()
