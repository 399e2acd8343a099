"""A host whose rounds a test runs by hand, in its own thread."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from communica_like.queues.manager.hosted_queue import HostedQueue
from communica_like.queues.manager.server_loop import ServerLoop
from communica_like.queues.manager.service import QueueService

from .frame_end import End

__all__ = ["Stage", "stage"]


class Stage:
    """One queue, and clients that the test plays.

    Attributes:
        meanwhile: called between two looks of a round: what is said there the round may hear, or not.
    """

    def __init__(self, max_items: int = 0) -> None:
        self.loop = ServerLoop("test")
        self.hosted = HostedQueue(self.loop.when_heard, max_items)
        self.ends: list[End] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self._poll = self.loop._poll
        self.loop._poll = self

    def client(self) -> End:
        ours, theirs = socket.socketpair()
        QueueService(theirs, self.hosted, self.loop).begin()
        self.ends.append(End(ours))
        return self.ends[-1]

    def round(self) -> None:
        """Run one round."""
        self.loop.run_round(0)

    def settle(self) -> None:
        """Run rounds until all that was said is answered."""
        for _ in range(3):
            self.round()

    # -- in place of the loop's poll object, which looks at one descriptor after the other, as poll(2) does

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for descriptor in list(self.loop._members):
            self.meanwhile()
            found += [each for each in self._poll.poll(0) if each[0] == descriptor]
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poll, name)


@contextmanager
def stage(max_items: int = 0) -> Iterator[Stage]:
    """Open a stage, and close all that it has at the end."""
    made = Stage(max_items)
    try:
        yield made
    finally:
        for end in made.ends:
            end.socket.close()
        made.meanwhile = lambda: None
        made.settle()
        for each in (made.loop._wake_end, made.loop._waker):
            each.close()
