"""WaitingMessages: requests and throws that wait for credit."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from ..wire.frames import REQUEST, THROW
from ..wire.limits import MESSAGE_COST

_OVERHEAD: Final = 256
"""Bytes that a waiting message counts beyond its size."""

Waiting = tuple[int, int, float | None, bytes, bytes]


class Message(NamedTuple):
    """A request or throw that was not sent, or is to be sent again."""

    kind: int
    ident: int
    deadline: float | None
    route: bytes
    body: bytes


class WaitingMessages:
    """Requests and throws, in order. A cancelled request is removed lazily.

    Attributes:
        size: bytes of all messages, with an overhead for each.
        throws: how many of them are throws.
    """

    def __init__(self) -> None:
        # Plain tuples, in the order of Message's fields: a fast producer makes one for each message.
        self._messages: deque[Waiting] = deque()
        self._requests: set[int] = set()
        self._cancelled = 0
        self.size = 0
        self.throws = 0

    def __len__(self) -> int:
        return len(self._messages)

    def append(self, kind: int, ident: int, deadline: float | None, route: bytes, body: bytes) -> None:
        """Append a message."""
        self._messages.append((kind, ident, deadline, route, body))
        self.size += len(route) + len(body) + _OVERHEAD
        if kind == THROW:
            self.throws += 1
        else:
            self._requests.add(ident)

    def next_within(self, credit: int) -> Waiting | None:
        """Remove the first message and return it, if it costs at most *credit*; otherwise None."""
        waiting = self._messages
        while waiting:
            message = waiting[0]
            kind, ident, _, route, body = message
            size = len(route) + len(body)
            cancelled = kind == REQUEST and ident not in self._requests
            if not cancelled and size + MESSAGE_COST > credit:
                return None
            waiting.popleft()
            self.size -= size + _OVERHEAD
            if not cancelled:
                if kind == THROW:
                    self.throws -= 1
                else:
                    self._requests.discard(ident)
                return message
            self._cancelled -= 1
        return None

    def pop(self) -> Waiting:
        """Remove the first message and return it. Only for queues that hold nothing but throws."""
        message = self._messages.popleft()
        self.size -= len(message[3]) + len(message[4]) + _OVERHEAD
        self.throws -= 1
        return message

    def cancel(self, ident: int) -> bool:
        """Remove a request; return whether it was waiting."""
        if ident not in self._requests:
            return False
        self._requests.discard(ident)
        self._cancelled += 1
        if self._cancelled > 64 + len(self._messages) // 2:
            self._drop_cancelled()
        return True

    def clear(self) -> list[Message]:
        """Remove all messages and return them."""
        self._drop_cancelled()
        messages = [Message(*message) for message in self._messages]
        self._messages.clear()
        self._requests.clear()
        self.size = self.throws = 0
        return messages

    def _drop_cancelled(self) -> None:
        alive = [m for m in self._messages if m[0] != REQUEST or m[1] in self._requests]
        self._messages = deque(alive)
        self.size = sum(len(route) + len(body) + _OVERHEAD for _, _, _, route, body in alive)
        self._cancelled = 0
