"""ReplayBuffer: bytes that were sent and are not acknowledged yet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ..exceptions import RemoteProtocolError
from ..wire.frames import HEADER, HEADER_SIZE


@dataclass(slots=True, eq=False)
class ReplayBuffer:
    """Keeps the bytes of each write until the other side has acknowledged them.

    Attributes:
        size: bytes kept.
        bulk: bytes of pieces of large messages among them.
        acknowledged: how many sequenced frames the other side has acknowledged.
    """

    size: int = 0
    bulk: int = 0
    acknowledged: int = 0
    # (number of the last frame, bytes, bytes of large messages among them)
    _writes: deque[tuple[int, bytes, int]] = field(default_factory=deque)
    _start: int = 0  # number of the last frame before the first write

    def add(self, last: int, data: bytes, bulk: int) -> None:
        """Keep *data*, which ends with sequenced frame number *last*."""
        self._writes.append((last, data, bulk))
        self.size += len(data)
        if bulk:
            self.bulk += bulk

    @property
    def sent(self) -> int:
        """How many sequenced frames were sent."""
        return self._writes[-1][0] if self._writes else self._start

    def acknowledge(self, count: int) -> int:
        """Drop the writes that the other side has received; return their bytes.

        Args:
            count: how many sequenced frames the other side has received.

        Raises:
            RemoteProtocolError: *count* is higher than what was sent, or lower than before.
        """
        if not self.acknowledged <= count <= self.sent:
            raise RemoteProtocolError(
                f"frame {count} acknowledged; {self.sent} were sent and {self.acknowledged} acknowledged"
            )
        self.acknowledged = count
        writes = self._writes
        freed = 0
        while writes and writes[0][0] <= count:
            self._start, data, bulk = writes.popleft()
            freed += len(data)
            if bulk:
                self.bulk -= bulk
        self.size -= freed
        return freed

    def unacknowledged(self) -> bytes:
        """Return all frames after the acknowledged one, joined."""
        if not self._writes:
            return b""
        first = self._writes[0][1]
        position = 0
        for _ in range(self.acknowledged - self._start):
            position += HEADER_SIZE + int(HEADER.unpack_from(first, position)[0])
        rest = [first[position:]]
        rest += [data for _, data, _ in list(self._writes)[1:]]
        return b"".join(rest)
