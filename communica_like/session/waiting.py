"""Messages that wait for credit."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from ..wire.frames import REQUEST, THROW
from ..wire.limits import MESSAGE_COST

__all__ = ["Message", "WaitingLine"]

_OVERHEAD: Final = 256
"""What a waiting message is counted with beside its bytes."""

Waiting = tuple[int, int, float | None, bytes, bytes]


class Message(NamedTuple):
    """A request or throw that is not in a frame, or is to be sent again."""

    kind: int
    ident: int
    deadline: float | None
    route: bytes
    body: bytes


class WaitingLine:
    """Requests and throws in order. A cancelled request stays in the line, dead, until its turn.

    Attributes:
        size: bytes that they are counted with.
        throws: how many of them are throws.
    """

    def __init__(self) -> None:
        # Plain tuples, in the order of Message: one is made for each message of a fast producer.
        self._line: deque[Waiting] = deque()
        self._requests: set[int] = set()
        self._dead = 0
        self.size = 0
        self.throws = 0

    def __len__(self) -> int:
        return len(self._line)

    def append(self, kind: int, ident: int, deadline: float | None, route: bytes, body: bytes) -> None:
        """Put a message at the end of the line."""
        self._line.append((kind, ident, deadline, route, body))
        self.size += len(route) + len(body) + _OVERHEAD
        if kind == THROW:
            self.throws += 1
        else:
            self._requests.add(ident)

    def next_within(self, credit: int) -> Waiting | None:
        """Take the first message out of the line, if it costs no more than *credit*."""
        line = self._line
        while line:
            message = line[0]
            kind, ident, _, route, body = message
            size = len(route) + len(body)
            dead = kind == REQUEST and ident not in self._requests
            if not dead and size + MESSAGE_COST > credit:
                return None
            line.popleft()
            self.size -= size + _OVERHEAD
            if not dead:
                if kind == THROW:
                    self.throws -= 1
                else:
                    self._requests.discard(ident)
                return message
            self._dead -= 1
        return None

    def pop(self) -> Waiting:
        """Take the first message out of the line; all of them are throws."""
        message = self._line.popleft()
        self.size -= len(message[3]) + len(message[4]) + _OVERHEAD
        self.throws -= 1
        return message

    def cancel(self, ident: int) -> bool:
        """Take a request back; return whether it was in the line."""
        if ident not in self._requests:
            return False
        self._requests.discard(ident)
        self._dead += 1
        if self._dead > 64 + len(self._line) // 2:
            self._bury_dead()
        return True

    def clear(self) -> list[Message]:
        """Empty the line; return what was in it."""
        self._bury_dead()
        messages = [Message(*message) for message in self._line]
        self._line.clear()
        self._requests.clear()
        self.size = self.throws = 0
        return messages

    def _bury_dead(self) -> None:
        alive = [m for m in self._line if m[0] != REQUEST or m[1] in self._requests]
        self._line = deque(alive)
        self.size = sum(len(route) + len(body) + _OVERHEAD for _, _, _, route, body in alive)
        self._dead = 0
