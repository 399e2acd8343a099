"""Encoded records that wait to be thrown: bounded, and counted where there was no room."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Backlog"]

_COST: Final = 64  # bytes that a record takes beside its own


class Backlog:
    """Filled by any thread, emptied by one.

    Args:
        bound: bytes; each record counts 64 more than it has.
        notice: makes the record that stands for so many missing ones.

    Attributes:
        dropped: how many records there was no room for.
    """

    def __init__(self, bound: int, notice: Callable[[int], bytes]) -> None:
        self._bound = bound
        self._notice = notice
        self._records: deque[bytes] = deque()
        self._size = 0
        self._missing = 0  # since the last one that was taken
        # Reentrant: a signal handler may log while this thread is in here.
        self._room = threading.Condition(threading.RLock())
        self.dropped = 0
        self.closed = False

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: bytes, patience: float) -> bool:
        """Take it; or return False, and count it: there was no room within *patience* seconds."""
        cost = len(record) + _COST
        with self._room:
            if patience > 0 and not self._has_room(cost) and not self.closed:
                deadline = time.monotonic() + patience
                while not self._has_room(cost) and not self.closed:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        break
                    self._room.wait(left)
            if self.closed or not self._has_room(cost):
                self.drop()
                return False
            self._tell_of_missing()
            self._records.append(record)
            self._size += cost
            return True

    def drop(self) -> None:
        """Count one that is lost."""
        with self._room:
            self.dropped += 1
            self._missing += 1

    def first(self) -> bytes | None:
        """Return the record that is next, which stays; None: there is none."""
        with self._room:
            if not self._records:
                self._tell_of_missing()
            return self._records[0] if self._records else None

    def done(self) -> None:
        """The first one is no longer needed."""
        with self._room:
            self._size -= len(self._records.popleft()) + _COST
            self._room.notify_all()

    def close(self) -> None:
        """There is no room from now on; who waits for it goes on."""
        with self._room:
            self.closed = True
            self._room.notify_all()

    def _has_room(self, cost: int) -> bool:
        return not self._records or self._size + cost <= self._bound

    def _tell_of_missing(self) -> None:
        if self._missing:
            record = self._notice(self._missing)
            self._missing = 0
            self._records.append(record)
            self._size += len(record) + _COST
