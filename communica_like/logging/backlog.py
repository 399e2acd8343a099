"""Backlog: a bounded queue of encoded records, which counts those it drops."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

_COST: Final = 64  # bytes of overhead for a record


class Backlog:
    """A bounded queue of encoded records, which any thread fills and one empties.

    Args:
        bound: its capacity in bytes; a record counts its size and 64 bytes.
        notice: makes the record that stands for a number of dropped ones.

    Attributes:
        dropped: the number of records that were dropped.
    """

    def __init__(self, bound: int, notice: Callable[[int], bytes]) -> None:
        self._bound = bound
        self._notice = notice
        self._records: deque[bytes] = deque()
        self._size = 0
        self._missing = 0  # dropped since the last notice
        # Reentrant: a signal handler may log while this thread holds it.
        self._room = threading.Condition(threading.RLock())
        self.dropped = 0
        self.closed = False

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: bytes, timeout: float) -> bool:
        """Add a record; return False, and count it as dropped, after *timeout* seconds without room."""
        cost = len(record) + _COST

        def ready() -> bool:
            return self.closed or not self._records or self._size + cost <= self._bound

        with self._room:
            if not (ready() or (timeout > 0 and self._room.wait_for(ready, timeout))) or self.closed:
                self.drop()
                return False
            self._add_notice()
            self._records.append(record)
            self._size += cost
            return True

    def drop(self) -> None:
        """Count a dropped record."""
        with self._room:
            self.dropped += 1
            self._missing += 1

    def first(self) -> bytes | None:
        """Return the next record without removing it, or None."""
        with self._room:
            if not self._records:
                self._add_notice()
            return self._records[0] if self._records else None

    def done(self) -> None:
        """Remove the first record."""
        with self._room:
            self._size -= len(self._records.popleft()) + _COST
            self._room.notify_all()

    def close(self) -> None:
        """Take no more records, and end calls that wait for room."""
        with self._room:
            self.closed = True
            self._room.notify_all()

    def _add_notice(self) -> None:
        if self._missing:
            record = self._notice(self._missing)
            self._missing = 0
            self._records.append(record)
            self._size += len(record) + _COST
