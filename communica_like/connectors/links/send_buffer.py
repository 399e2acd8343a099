"""SendBuffer: what a link has taken for sending while its medium had no room."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

_HIGH_WATER: Final = 64 * 1024
_LOW_WATER: Final = 16 * 1024


class SendBuffer:
    """A FIFO of bytes, filled in pieces of one size and emptied in others.

    Pieces are kept as views, not copied. An empty buffer is false.

    Attributes:
        size: bytes that it holds.
    """

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def full(self) -> bool:
        """Whether the size is above the high-water mark: the link is not writable."""
        return self.size > _HIGH_WATER

    @property
    def drained(self) -> bool:
        """Whether the size is at most the low-water mark: the link is writable again."""
        return self.size <= _LOW_WATER

    def append(self, data: bytes | memoryview) -> None:
        """Add *data*, which must not be empty, at the end."""
        self._pieces.append(memoryview(data))
        self.size += len(data)

    def take(self, largest: int) -> bytes | memoryview:
        """Remove and return the first bytes: *largest*, or all if there are fewer."""
        taken: list[memoryview] = []
        room = largest
        while room and self._pieces:
            piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            taken.append(piece)
            room -= len(piece)
        self.size -= largest - room
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def put_back(self, data: bytes | memoryview) -> None:
        """Insert what ``take`` returned at the beginning."""
        self._pieces.appendleft(memoryview(data))
        self.size += len(data)

    def first(self, count: int) -> list[memoryview]:
        """Return the first pieces, *count* at most, and keep them: for writev(2)."""
        return list(islice(self._pieces, count))

    def discard(self, size: int) -> None:
        """Remove the first *size* bytes, of those that it holds."""
        self.size -= size
        pieces = self._pieces
        while size:
            piece = pieces[0]
            if len(piece) > size:
                pieces[0] = piece[size:]
                return
            size -= len(piece)
            pieces.popleft()

    def clear(self) -> None:
        """Remove everything."""
        self._pieces.clear()
        self.size = 0
