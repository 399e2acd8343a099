"""Bytes that were sent and are not yet acknowledged."""

from __future__ import annotations

from collections import deque

from ..exceptions import RemoteProtocolError
from ..wire.frames import HEADER, HEADER_SIZE

__all__ = ["ReplayBuffer"]


class ReplayBuffer:
    """Keeps what was sent, one entry per write, until the other side has it.

    Attributes:
        size: bytes kept.
        bulk: how many of these are pieces of large messages.
        acknowledged: sequenced frames that the other side is known to have.
    """

    __slots__ = ("_entries", "_start", "acknowledged", "bulk", "size")

    def __init__(self) -> None:
        # (number of the last frame, bytes, bytes of large messages among them)
        self._entries: deque[tuple[int, bytes, int]] = deque()
        self._start = 0  # number of the last frame before the first entry
        self.size = 0
        self.bulk = 0
        self.acknowledged = 0

    def add(self, last: int, data: bytes, bulk: int) -> None:
        """Keep *data*, which ends with sequenced frame number *last*."""
        self._entries.append((last, data, bulk))
        self.size += len(data)
        if bulk:
            self.bulk += bulk

    @property
    def sent(self) -> int:
        """Sequenced frames sent."""
        return self._entries[-1][0] if self._entries else self._start

    def acknowledge(self, count: int) -> int:
        """Forget what the other side has; return how many bytes that were.

        Raises:
            RemoteProtocolError: it claims to have more than was sent, or less than it had.
        """
        if not self.acknowledged <= count <= self.sent:
            raise RemoteProtocolError(
                f"frame {count} acknowledged; {self.sent} were sent and {self.acknowledged} acknowledged"
            )
        self.acknowledged = count
        entries = self._entries
        freed = 0
        while entries and entries[0][0] <= count:
            self._start, data, bulk = entries.popleft()
            freed += len(data)
            if bulk:
                self.bulk -= bulk
        self.size -= freed
        return freed

    def unacknowledged(self) -> bytes:
        """Return all frames after the acknowledged one, joined."""
        if not self._entries:
            return b""
        first = self._entries[0][1]
        position = 0
        for _ in range(self.acknowledged - self._start):
            position += HEADER_SIZE + int(HEADER.unpack_from(first, position)[0])
        rest = [first[position:]]
        rest += [data for _, data, _ in list(self._entries)[1:]]
        return b"".join(rest)
