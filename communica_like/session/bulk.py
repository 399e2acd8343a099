"""BulkSender: sends large messages in pieces that take turns."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from ..wire.frames import CONTINUE, ERROR, HEADER, MORE, MORE_PREFIX, RESULT, THROW

MAX_STREAMS: Final = 16
"""Large messages that may be under way at once, in each direction."""

MAX_REPLIES: Final = MAX_STREAMS - 2
"""Responses among them. The rest is room for a throw and a request."""


@dataclass(slots=True, eq=False)
class Bulk:
    """A message that is larger than a chunk.

    Attributes:
        offset: bytes of the body that are in frames.
        stream: the number of its stream while it is under way; 0 before.
        turn: its position in the order in which messages were queued.
    """

    kind: int
    ident: int
    number: int
    deadline: float | None
    route: bytes
    body: bytes
    offset: int = 0
    stream: int = 0
    turn: int = 0
    _view: memoryview = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._view = memoryview(self.body)

    @property
    def is_reply(self) -> bool:
        """Whether it is a response, which draws on no credit."""
        return self.kind in (RESULT, ERROR)

    def next_frame(self, chunk: int, arg: int) -> bytes:
        """Return a frame with the next piece, of at most *chunk* bytes."""
        piece = self._view[self.offset : self.offset + chunk]
        first = self.offset == 0
        self.offset += len(piece)
        flags = MORE if self.offset < len(self.body) else 0
        if first:
            prefix = MORE_PREFIX.pack(self.stream, len(self.body)) + self.route
            size = len(prefix) + len(piece)
            head = HEADER.pack(size, self.kind, flags, len(self.route), self.ident, arg)
            return b"".join((head, prefix, piece))
        return HEADER.pack(len(piece), CONTINUE, flags, 0, self.stream, 0) + piece


class BulkSender:
    """Chooses which large message sends the next piece, within the credit for them.

    At most one throw is under way, so that throws stay in order; requests and replies overtake it. Requests
    and throws get credit in the order in which they were queued, so that a message that needs much of it is
    not overtaken forever by others that need little.

    Args:
        chunk: bytes of the largest piece.
        credit: see the attribute.
        max_reply: bytes of all replies that may be under way at once.

    Attributes:
        credit: bytes of large requests and throws that the other side allows, since the session began.
        busy: how many messages are queued or under way.
        reply_size: bytes of the replies that are queued or under way.
        throw: the throw that is queued or under way.
        throw_may_start: False while small throws that came before it wait for credit.
    """

    def __init__(self, chunk: int, credit: int, max_reply: int) -> None:
        self.reset(chunk, credit, max_reply)

    def reset(self, chunk: int, credit: int, max_reply: int) -> None:
        """Forget all messages, and start as for a new session."""
        self._chunk = chunk
        self._max_reply = max_reply
        self._replies: deque[Bulk] = deque()
        self._requests: deque[Bulk] = deque()
        self._active: deque[Bulk] = deque()
        self._streams = 0
        self._turns = 0
        self._spent = 0
        self._active_replies = 0
        self._active_reply_size = 0
        self.credit = credit
        self.busy = 0
        self.reply_size = 0
        self.throw: Bulk | None = None
        self.throw_may_start = True

    def add(self, message: Bulk) -> None:
        """Queue a message. A throw must not be added while there is another."""
        self.busy += 1
        self._turns += 1
        message.turn = self._turns
        if message.kind == THROW:
            self.throw = message
        elif message.is_reply:
            self.reply_size += len(message.body)
            self._replies.append(message)
        else:
            self._requests.append(message)

    def start_some(self) -> None:
        """Start streams, as far as credit and MAX_STREAMS allow."""
        active = self._active
        while len(active) < MAX_STREAMS:
            message = self._next_reply() or self._next_with_credit()
            if message is None:
                return
            self._streams = self._streams % 0xFFFFFFFF + 1
            message.stream = self._streams
            active.append(message)

    def next_message(self) -> Bulk | None:
        """Return the message whose turn it is to send a piece; None if none is under way."""
        active = self._active
        if not active:
            return None
        active.rotate(-1)
        return active[-1]

    def finished(self, message: Bulk) -> None:
        """Remove *message*, whose last piece is in a frame."""
        self.busy -= 1
        self._active.remove(message)
        if message.is_reply:
            self._active_replies -= 1
            self._active_reply_size -= len(message.body)
            self.reply_size -= len(message.body)
        if message is self.throw:
            self.throw = None

    def find(self, ident: int, *, reply: bool) -> Bulk | None:
        """Return the queued or active request, or reply, with this id; None if there is none."""
        for message in [*self._active, *self._replies, *self._requests]:
            if message.ident == ident and message.kind != THROW and message.is_reply is reply:
                return message
        return None

    def drop(self, message: Bulk) -> None:
        """Remove a request or reply that was not finished."""
        if message.stream:
            self.finished(message)
            if not message.offset and not message.is_reply:
                # The other side never hears of it, so its credit is unspent.
                self._spent -= len(message.body)
            return
        self.busy -= 1
        if message.is_reply:
            self.reply_size -= len(message.body)
            self._replies.remove(message)
        else:
            self._requests.remove(message)

    def unfinished(self) -> list[Bulk]:
        """Return the requests and throws of which some piece is not in a frame yet."""
        found = [message for message in self._active if not message.is_reply]
        if self.throw and not self.throw.stream:
            found.append(self.throw)
        return [*found, *self._requests]

    def _next_reply(self) -> Bulk | None:
        if not self._replies or self._active_replies >= MAX_REPLIES:
            return None
        size = len(self._replies[0].body)
        if self._active_reply_size + size > self._max_reply:
            return None
        self._active_replies += 1
        self._active_reply_size += size
        return self._replies.popleft()

    def _next_with_credit(self) -> Bulk | None:
        request = self._requests[0] if self._requests else None
        throw = self.throw
        if throw and (throw.stream or not self.throw_may_start):
            throw = None
        message = throw if throw and not (request and request.turn < throw.turn) else request
        if message is None or self._spent + len(message.body) > self.credit:
            return None
        self._spent += len(message.body)
        if message is request:
            self._requests.popleft()
        return message
