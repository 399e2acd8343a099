"""Messages -> bytes: in order, within credit, small before large, kept until acknowledged."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ..wire.frames import (
    ABANDON,
    CANCEL,
    CONTINUE,
    HEADER,
    HEADER_SIZE,
    MORE,
    REQUEST,
    THROW,
    split_frames,
)
from ..wire.limits import MESSAGE_COST, Limits
from .bulk import Bulk, BulkSender
from .replay import ReplayBuffer

__all__ = ["Message", "Outbound"]

_WAITING_COST = 256  # what a waiting message costs beside its bytes


class Message(NamedTuple):
    """A request or throw that waits."""

    kind: int
    ident: int
    deadline: float | None
    route: bytes
    body: bytes


class Outbound:
    """One session's way out. Before ``open`` it has no credit, so that all messages wait.

    Attributes:
        buffered: bytes of small messages that wait, are in frames, or are not acknowledged.
        bulk_buffered: the same of large messages (their whole bodies).
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._frames: list[bytes] = []
        self._waiting: deque[Message] = deque()
        # A cancelled request leaves this set and stays in the queue, dead, until its turn.
        self._waiting_requests: set[int] = set()
        self._dead = 0
        self._waiting_size = 0
        self._fenced: deque[Message] = deque()
        self._reset(credit=0, chunk=limits.chunk, bulk_credit=0, max_reply=0)
        self.buffered = 0
        self.bulk_buffered = 0

    def _reset(self, credit: int, chunk: int, bulk_credit: int, max_reply: int) -> None:
        self._frames.clear()
        self._count = 0
        self._spent = 0
        self._credit = credit
        # What newcomers see: no credit while others wait before them.
        self._gate = credit
        self._waiting_throws = 0
        self._chunk = chunk
        self._bulk = BulkSender(chunk, bulk_credit, max_reply)
        self._sent_bulks: deque[tuple[int, Bulk]] = deque()
        self._replay = ReplayBuffer()

    def open(self, peer: Limits, chunk: int, now: float) -> list[Message]:
        """A session begins: the other side's window is the first credit; what waited may go.

        Returns:
            The messages that are too big for the other side.
        """
        waiting = self._take_waiting()
        self._reset(peer.window, chunk, peer.max_message, peer.max_message)
        refused = []
        for message in waiting:
            if len(message.body) > peer.max_message:
                refused.append(message)
            else:
                self.message(*message, now)
        return refused

    # -- messages in

    def message(
        self, kind: int, ident: int, deadline: float | None, route: bytes, body: bytes, now: float
    ) -> None:
        """Take a request or throw."""
        route_size = len(route)
        size = route_size + len(body)
        spent = self._spent + size + MESSAGE_COST
        if spent > self._gate or size - route_size > self._chunk:
            self._queue(Message(kind, ident, deadline, route, body), now)
            return
        self._spent = spent
        self._count += 1
        self.buffered += size + HEADER_SIZE
        arg = 0 if deadline is None else budget(deadline, now)
        if route_size:
            head = HEADER.pack(size, kind, 0, route_size, ident, arg) + route
        else:
            head = HEADER.pack(size, kind, 0, 0, ident, arg)
        self._frames += (head, body)

    def reply(self, kind: int, ident: int, number: int, body: bytes) -> None:
        """Take an answer. Answers draw on no credit: whoever asked has room for them."""
        size = len(body)
        if size > self._chunk:
            self.bulk_buffered += size
            self._bulk.add(Bulk(kind, ident, number, None, b"", body))
            return
        self._count += 1
        self.buffered += size + HEADER_SIZE
        self._frames += (HEADER.pack(size, kind, 0, 0, ident, number), body)

    def cancel_request(self, ident: int, now: float) -> None:
        """Take back a request: out of the queue if it is there still, else by telling the other side."""
        if ident in self._waiting_requests:
            self._waiting_requests.discard(ident)
            self._dead += 1
            if self._waiting[0].ident == ident:
                # Those behind it may need less credit.
                self._release(now)
            elif self._dead > 64 + len(self._waiting) // 2:
                self._bury_dead()
            return
        bulk = self._bulk.find(ident, reply=False)
        if bulk is None:
            self._control(CANCEL, ident)
        else:
            self._abandon(bulk)

    def cancel_reply(self, ident: int) -> None:
        """Stop sending a large answer that nobody wants any more."""
        bulk = self._bulk.find(ident, reply=True)
        if bulk is not None:
            self._abandon(bulk)

    # -- bytes out

    def data_to_send(self, now: float) -> bytes:
        """Return what may go now: all small frames, and one piece of a large message."""
        replay = self._replay
        if replay.size >= self._limits.replay:
            return b""
        frames = self._frames
        piece = 0
        if not self._bulk.idle and replay.bulk < self._limits.bulk_in_flight:
            piece = self._add_piece(now)
        if not frames:
            return b""
        data = b"".join(frames)
        frames.clear()
        replay.add(self._count, data, piece)
        return data

    def acknowledge(self, count: int, credit: int, bulk_credit: int, now: float) -> None:
        """The other side has *count* frames and allows so many bytes.

        Raises:
            RemoteProtocolError: the count is impossible.
        """
        bulk = self._replay.bulk
        freed = self._replay.acknowledge(count)
        self.buffered -= freed - (bulk - self._replay.bulk)
        while self._sent_bulks and self._sent_bulks[0][0] <= count:
            self._sent_bulks.popleft()
        self._bulk.credit = max(self._bulk.credit, bulk_credit)
        if credit > self._credit:
            self._credit = credit
            self._release(now)

    def rewind(self, count: int, now: float) -> bytes:
        """On a new link of the same session: return what the other side, which has *count* frames, lacks.

        Raises:
            RemoteProtocolError: the count is impossible.
        """
        self.acknowledge(count, 0, 0, now)
        return self._replay.unacknowledged()

    @property
    def flushed(self) -> bool:
        """Whether all was sent and acknowledged."""
        return not (
            self._frames or self._waiting or self._fenced or self._replay.size or not self._bulk.idle
        )

    @property
    def unsent(self) -> int:
        """Bytes of small frames that only the link or a missing acknowledgement holds back."""
        return self.buffered - self._waiting_size - (self._replay.size - self._replay.bulk)

    @property
    def unsent_replies(self) -> int:
        """Bytes of large answers that are not wholly in frames."""
        return self._bulk.reply_size

    @property
    def stalled(self) -> bool:
        """Whether there is something to send that waits for an acknowledgement or for credit."""
        return bool(self._frames or self._waiting or self._fenced or not self._bulk.idle)

    # -- the end of a session

    def take_back(self) -> tuple[list[Message], list[Message]]:
        """End the session. Return the requests and throws that were written and are not acknowledged,
        and those that were never (wholly) written. Throws are in order.
        """
        later = dict(self._sent_bulks_by_stream())
        written = _messages_in(self._replay.unacknowledged(), later)
        unwritten = _messages_in(b"".join(self._frames), later)
        fenced = list(self._fenced)
        unwritten += self._take_waiting()
        unwritten += [Message(b.kind, b.ident, b.deadline, b.route, b.body) for b in self._bulk.unfinished()]
        unwritten += fenced
        self._reset(credit=0, chunk=self._limits.chunk, bulk_credit=0, max_reply=0)
        return written, unwritten

    # -- inside

    def _queue(self, message: Message, now: float) -> None:
        large = len(message.body) > self._chunk
        throw = message.kind == THROW
        if self._credit == 0:
            # No session yet; the chunk size is not agreed either.
            self._wait(message)
        elif throw and (self._bulk.throw or self._fenced):
            self._fenced.append(message)
            self._count_waiting(waiting_size(message))
        elif large:
            self.bulk_buffered += len(message.body)
            self._bulk.add(
                Bulk(message.kind, message.ident, 0, message.deadline, message.route, message.body)
            )
            self._bulk.throw_may_start = not self._waiting_throws
            if throw:
                # Later throws stay behind this one.
                self._gate = -1
        elif self._waiting or self._spent + small_cost(message) > self._credit:
            self._wait(message)
        else:
            # The gate was shut for throws only.
            self._commit(message, now)

    def _wait(self, message: Message) -> None:
        self._waiting.append(message)
        if message.kind == THROW:
            self._waiting_throws += 1
        else:
            self._waiting_requests.add(message.ident)
        self._gate = -1
        self._count_waiting(waiting_size(message))

    def _release(self, now: float) -> None:
        """Let waiting messages go, as far as credit reaches."""
        waiting = self._waiting
        while waiting:
            message = waiting[0]
            dead = message.kind == REQUEST and message.ident not in self._waiting_requests
            if not dead and self._spent + small_cost(message) > self._credit:
                break
            waiting.popleft()
            self._count_waiting(-waiting_size(message))
            if dead:
                self._dead -= 1
                continue
            if message.kind == THROW:
                self._waiting_throws -= 1
            else:
                self._waiting_requests.discard(message.ident)
            self._commit(message, now)
        fenced = self._fenced
        while fenced and not self._bulk.throw:
            message = fenced.popleft()
            self._count_waiting(-waiting_size(message))
            if len(message.body) > self._chunk:
                self.bulk_buffered += len(message.body)
                self._bulk.add(Bulk(THROW, 0, 0, None, message.route, message.body))
            elif waiting or self._spent + small_cost(message) > self._credit:
                self._wait(message)
            else:
                self._commit(message, now)
        self._bulk.throw_may_start = not self._waiting_throws
        self._gate = -1 if waiting or fenced or self._bulk.throw else self._credit

    def _bury_dead(self) -> None:
        kept = [m for m in self._waiting if m.kind == THROW or m.ident in self._waiting_requests]
        self._count_waiting(sum(map(waiting_size, kept)) - sum(map(waiting_size, self._waiting)))
        self._waiting = deque(kept)
        self._dead = 0

    def _take_waiting(self) -> list[Message]:
        self._bury_dead()
        waiting = list(self._waiting)
        self._waiting.clear()
        self._waiting_requests.clear()
        self._fenced.clear()
        self.buffered = self.bulk_buffered = self._waiting_size = 0
        return waiting

    def _count_waiting(self, size: int) -> None:
        self.buffered += size
        self._waiting_size += size

    def _commit(self, message: Message, now: float) -> None:
        gate, self._gate = self._gate, self._credit
        self.message(*message, now)
        self._gate = gate

    def _control(self, kind: int, ident: int) -> None:
        self._count += 1
        self.buffered += HEADER_SIZE
        self._frames.append(HEADER.pack(0, kind, 0, 0, ident, 0))

    def _add_piece(self, now: float) -> int:
        self._bulk.start_some()
        message = self._bulk.next_message()
        if message is None:
            return 0
        arg = message.number if message.deadline is None else budget(message.deadline, now)
        frame = message.next_frame(self._chunk, arg)
        self._frames.append(frame)
        self._count += 1
        if message.offset == len(message.body):
            self._bulk.finished(message)
            self.bulk_buffered -= len(message.body)
            if not message.is_reply:
                self._sent_bulks.append((self._count, message))
            if message.kind == THROW:
                self._release(now)
        return len(frame)

    def _abandon(self, bulk: Bulk) -> None:
        self.bulk_buffered -= len(bulk.body)
        self._bulk.drop(bulk)
        if bulk.offset:
            self._control(ABANDON, bulk.stream)

    def _sent_bulks_by_stream(self) -> list[tuple[int, Bulk]]:
        return [(bulk.stream, bulk) for _, bulk in self._sent_bulks]


def budget(deadline: float, now: float) -> int:
    """Return the time left in whole milliseconds, at least 1, as it goes on the wire."""
    return min(max(1, round((deadline - now) * 1000)), 0xFFFFFFFF)


def small_cost(message: Message) -> int:
    """Return the credit that a small message costs."""
    return len(message.body) + len(message.route) + MESSAGE_COST


def waiting_size(message: Message) -> int:
    """Return the bytes that a waiting message is counted with."""
    return len(message.body) + len(message.route) + _WAITING_COST


def _messages_in(data: bytes, bulks: dict[int, Bulk]) -> list[Message]:
    messages = []
    for kind, flags, route_size, ident, _, payload in split_frames(data):
        if kind in (REQUEST, THROW) and not flags:
            messages.append(Message(kind, ident, None, payload[:route_size], payload[route_size:]))
        elif kind == CONTINUE and not flags & MORE and ident in bulks:
            bulk = bulks[ident]
            messages.append(Message(bulk.kind, bulk.ident, bulk.deadline, bulk.route, bulk.body))
    return messages
