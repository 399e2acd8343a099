"""Outbound: turns messages into bytes, in order, within credit, small before large."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from ..exceptions import MessageTooBig
from ..wire.frames import (
    ABANDON,
    CANCEL,
    CONTINUE,
    HEADER,
    HEADER_SIZE,
    MORE,
    REQUEST,
    RESULT,
    THROW,
    split_frames,
)
from ..wire.limits import MESSAGE_COST, Limits
from .bulk import Bulk, BulkSender
from .replay import ReplayBuffer
from .waiting import Message, WaitingMessages

_ROUNDING_ERROR: Final = 0.001  # milliseconds, of adding and subtracting floats
_BURST_SIZE: Final = 1024 * 1024  # bytes


class Outbound:
    """The sending half of a session. Before ``open`` there is no credit, so all messages wait.

    Args:
        limits: this side's limits.

    Attributes:
        frames: small frames to write, each as two items, header and body; always the same list.
        bulk: the large messages; always the same object.
        bulk_buffered: bytes of the whole bodies of large messages that wait or are under way.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.frames: list[bytes] = []
        self.bulk = BulkSender(limits.chunk, 0, 0)
        self._waiting = WaitingMessages()
        # Throws that wait for an earlier large throw.
        self._fenced = WaitingMessages()
        self._max_peer_message = limits.max_message
        # With less, the sender waits for acknowledgements that only a timer sends.
        self._bulk_in_flight = max(limits.bulk_in_flight, 2 * limits.ack_size)
        self._reset(credit=0, chunk=limits.chunk, bulk_credit=0, max_reply=0)
        self._framed = 0  # bytes of small frames that are not acknowledged yet
        self.bulk_buffered = 0
        self._replay_limit = limits.replay

    def _reset(self, credit: int, chunk: int, bulk_credit: int, max_reply: int) -> None:
        self.frames.clear()
        self._count = 0  # frames written
        self._spent = 0
        self._credit = credit
        # The credit for a new message: none while earlier ones wait, or if the outbox is so small that
        # credit does not bound it.
        self._strict = credit > self._limits.outbox
        self._gate = -1 if self._strict else credit
        self._paced = False
        self._chunk = chunk
        self.bulk.reset(chunk, bulk_credit, max_reply)
        self._sent_bulks: deque[tuple[int, Bulk]] = deque()
        self._replay = ReplayBuffer()

    def open(self, peer: Limits, chunk: int, now: float) -> list[Message]:
        """Start a session: take the other side's window as credit, and let waiting messages go.

        Returns:
            The messages that are larger than the other side accepts.
        """
        waiting = self._waiting.clear()
        self._framed = self.bulk_buffered = 0
        self._max_peer_message = peer.max_message
        self._reset(peer.window, chunk, peer.max_message, peer.max_message)
        refused = []
        for message in waiting:
            if len(message.body) > peer.max_message:
                refused.append(message)
            else:
                self.queue(*message, now)
        return refused

    # -- messages in

    def message(
        self, kind: int, ident: int, deadline: float | None, route: bytes, body: bytes, now: float
    ) -> bool:
        """Take a request or throw. Return False, without taking it, if the outbox is full.

        Raises:
            MessageTooBig: one of the two sides does not accept its size.
        """
        route_size = len(route)
        size = route_size + len(body)
        spent = self._spent + size + MESSAGE_COST
        if spent > self._gate or size - route_size > self._chunk:
            if not self._has_room(len(body)):
                return False
            self.queue(kind, ident, deadline, route, body, now)
            return True
        self._spent = spent
        self._framed += size + HEADER_SIZE
        arg = 0 if deadline is None else budget(deadline, now)
        if route_size:
            head = HEADER.pack(size, kind, 0, route_size, ident, arg) + route
        else:
            head = HEADER.pack(size, kind, 0, 0, ident, arg)
        self.frames += (head, body)
        return True

    def queue(
        self, kind: int, ident: int, deadline: float | None, route: bytes, body: bytes, now: float
    ) -> None:
        """Take a request or throw, even if the outbox is full."""
        size = len(body)
        throw = kind == THROW
        if self._credit == 0:
            # Without a session the chunk size is not agreed yet.
            self._wait(kind, ident, deadline, route, body)
        elif throw and (self.bulk.throw or self._fenced):
            self._fenced.append(kind, ident, deadline, route, body)
        elif size > self._chunk:
            self.bulk_buffered += size
            self.bulk.add(Bulk(kind, ident, 0, deadline, route, body))
            self.bulk.throw_may_start = not self._waiting.throws
            if throw:
                # Later throws have to stay behind this one.
                self._gate = -1
        elif self._waiting or self._spent + size + len(route) + MESSAGE_COST > self._credit:
            self._wait(kind, ident, deadline, route, body)
        else:
            # The gate is closed for throws only, or always.
            self._commit(kind, ident, deadline, route, body, now)

    def answer(self, ident: int, body: bytes) -> None:
        """Take the result of a request. A faster ``reply`` for the most common case."""
        size = len(body)
        if size > self._chunk:
            self.reply(RESULT, ident, 0, body)
            return
        self._framed += size + HEADER_SIZE
        self.frames += (HEADER.pack(size, RESULT, 0, 0, ident, 0), body)

    def reply(self, kind: int, ident: int, number: int, body: bytes) -> None:
        """Take a response. Responses draw on no credit: the requester has room for them."""
        size = len(body)
        if size > self._chunk:
            self.bulk_buffered += size
            self.bulk.add(Bulk(kind, ident, number, None, b"", body))
            return
        self._framed += size + HEADER_SIZE
        self.frames += (HEADER.pack(size, kind, 0, 0, ident, number), body)

    def cancel_request(self, ident: int, now: float) -> None:
        """Remove a request that was not sent; otherwise tell the other side to cancel it."""
        if self._waiting.cancel(ident):
            # Messages behind it may need less credit.
            self._release(now)
            return
        bulk = self.bulk.find(ident, reply=False)
        if bulk is None:
            self._control(CANCEL, ident)
        else:
            self._abandon(bulk)

    def cancel_reply(self, ident: int) -> None:
        """Stop sending a large response whose request was cancelled."""
        bulk = self.bulk.find(ident, reply=True)
        if bulk is not None:
            self._abandon(bulk)

    # -- bytes out

    def data_to_send(self, now: float) -> bytes:
        """Return bytes to send now: all small frames, and one piece of a large message."""
        replay = self._replay
        if replay.size >= self._replay_limit:
            return b""
        frames = self.frames
        piece = 0
        if self.bulk.busy and replay.bulk < self._bulk_in_flight:
            piece = self._add_piece(now)
        if not frames:
            return b""
        self._count = count = self._count + len(frames) // 2
        data = b"".join(frames)
        frames.clear()
        replay.add(count, data, piece)
        return data

    @property
    def more_to_send(self) -> bool:
        """Whether a piece of a large message may be sent now."""
        sent = self._replay
        return bool(self.bulk.busy and sent.bulk < self._bulk_in_flight and sent.size < self._replay_limit)

    def acknowledge(self, count: int, credit: int, bulk_credit: int, now: float) -> None:
        """Process an acknowledgement, and let waiting messages go.

        Args:
            count: how many sequenced frames the other side has received.
            credit, bulk_credit: bytes of small and of large messages that it allows since the session began.

        Raises:
            RemoteProtocolError: *count* is impossible.
        """
        bulk = self._replay.bulk
        freed = self._replay.acknowledge(count)
        self._framed -= freed - (bulk - self._replay.bulk)
        while self._sent_bulks and self._sent_bulks[0][0] <= count:
            self._sent_bulks.popleft()
        self.bulk.credit = max(self.bulk.credit, bulk_credit)
        if credit > self._credit:
            self._credit = credit
            self._release(now)

    def can_rewind(self, count: int) -> bool:
        """Whether the other side may have received *count* frames."""
        return self._replay.acknowledged <= count <= self._replay.sent

    def rewind(self, count: int, now: float) -> bytes:
        """Return the bytes to send again on a new link to the other side, which has received *count* frames.

        Raises:
            RemoteProtocolError: *count* is impossible.
        """
        self.acknowledge(count, 0, 0, now)
        return self._replay.unacknowledged()

    @property
    def flushed(self) -> bool:
        """Whether everything was sent and acknowledged."""
        return not (self.frames or self._waiting or self._fenced or self._replay.size or self.bulk.busy)

    @property
    def buffered(self) -> int:
        """Bytes of small messages that wait, are in frames, or are not acknowledged yet."""
        return self._framed + self._waiting.size + self._fenced.size

    @property
    def has_room(self) -> bool:
        """Whether the outbox takes small messages.

        In a session, a burst of 1 MiB may wait for credit. After that the producer is held to the pace of its
        consumer: it has to wait as soon as credit is used up, until ``calm_down``. That costs far less than
        passing each message through a long queue.
        """
        if self.buffered >= self._limits.outbox:
            return False
        if self._credit and self._waiting.size >= _BURST_SIZE:
            self._paced = True
        return not (self._paced and self._waiting)

    def calm_down(self) -> None:
        """Allow a burst again, if everything was delivered. Called from time to time."""
        if self.flushed:
            self._paced = False

    @property
    def congested(self) -> bool:
        """Whether responses beyond the limits wait for the link or for an acknowledgement."""
        limits = self._limits
        return (
            self._framed > limits.outbox
            and self._framed - self._replay.size + self._replay.bulk > limits.outbox
        ) or self.bulk.reply_size > limits.max_message

    # -- the end of a session

    def take_back(self) -> tuple[list[Message], list[Message]]:
        """End the session, and return its requests and throws that are not acknowledged.

        Returns:
            Messages that were written, and messages that were not, or only in part. Throws are in order.
        """
        later = {bulk.stream: bulk for _, bulk in self._sent_bulks}
        written = _messages_in(self._replay.unacknowledged(), later)
        unwritten = _messages_in(b"".join(self.frames), later)
        unwritten += self._waiting.clear()
        unwritten += [Message(b.kind, b.ident, b.deadline, b.route, b.body) for b in self.bulk.unfinished()]
        unwritten += self._fenced.clear()
        self._framed = self.bulk_buffered = 0
        self._reset(credit=0, chunk=self._limits.chunk, bulk_credit=0, max_reply=0)
        return written, unwritten

    # -- inside

    def _has_room(self, size: int) -> bool:
        limit = self._limits.max_message
        largest = min(limit, self._max_peer_message)
        if size > largest:
            raise MessageTooBig(f"{size} bytes; at most {largest} are allowed")
        if not self.has_room:
            return False
        return size <= self._chunk or self.bulk_buffered == 0 or self.bulk_buffered + size <= limit

    def _wait(self, kind: int, ident: int, deadline: float | None, route: bytes, body: bytes) -> None:
        self._waiting.append(kind, ident, deadline, route, body)
        self._gate = -1

    def _release(self, now: float) -> None:
        """Put waiting messages into frames, as far as credit allows."""
        waiting, fenced = self._waiting, self._fenced
        while (message := waiting.next_within(self._credit - self._spent)) is not None:
            self._commit(*message, now)
        while fenced and not self.bulk.throw:
            _, _, _, route, body = fenced.pop()
            if len(body) > self._chunk:
                self.bulk_buffered += len(body)
                self.bulk.add(Bulk(THROW, 0, 0, None, route, body))
            elif waiting or self._spent + len(route) + len(body) + MESSAGE_COST > self._credit:
                waiting.append(THROW, 0, None, route, body)
            else:
                self._commit(THROW, 0, None, route, body, now)
        self.bulk.throw_may_start = not waiting.throws
        shut = self._strict or waiting or fenced or self.bulk.throw
        self._gate = -1 if shut else self._credit

    def _commit(
        self, kind: int, ident: int, deadline: float | None, route: bytes, body: bytes, now: float
    ) -> None:
        route_size = len(route)
        size = route_size + len(body)
        self._spent += size + MESSAGE_COST
        self._framed += size + HEADER_SIZE
        arg = 0 if deadline is None else budget(deadline, now)
        self.frames += (HEADER.pack(size, kind, 0, route_size, ident, arg) + route, body)

    def _control(self, kind: int, ident: int) -> None:
        self._framed += HEADER_SIZE
        self.frames += (HEADER.pack(0, kind, 0, 0, ident, 0), b"")

    def _add_piece(self, now: float) -> int:
        self.bulk.start_some()
        message = self.bulk.next_message()
        if message is None:
            return 0
        arg = message.number if message.deadline is None else budget(message.deadline, now)
        frame = message.next_frame(self._chunk, arg)
        self.frames += (frame, b"")
        if message.offset == len(message.body):
            self.bulk.finished(message)
            self.bulk_buffered -= len(message.body)
            if not message.is_reply:
                self._sent_bulks.append((self._count + len(self.frames) // 2, message))
            if message.kind == THROW:
                self._release(now)
        return len(frame)

    def _abandon(self, bulk: Bulk) -> None:
        self.bulk_buffered -= len(bulk.body)
        self.bulk.drop(bulk)
        if bulk.offset:
            self._control(ABANDON, bulk.stream)


def budget(deadline: float, now: float) -> int:
    """Return the time left in milliseconds, from 1 to 2**32 - 1, as it is on the wire.

    It is rounded up, so that the handler's deadline is never before the requester's.
    """
    return min(max(1, math.ceil((deadline - now) * 1000 - _ROUNDING_ERROR)), 0xFFFFFFFF)


def _messages_in(data: bytes, bulks: dict[int, Bulk]) -> list[Message]:
    messages = []
    for kind, flags, route_size, ident, _, payload in split_frames(data):
        if kind in (REQUEST, THROW) and not flags:
            messages.append(Message(kind, ident, None, payload[:route_size], payload[route_size:]))
        elif kind == CONTINUE and not flags & MORE and ident in bulks:
            bulk = bulks[ident]
            messages.append(Message(bulk.kind, bulk.ident, bulk.deadline, bulk.route, bulk.body))
    return messages
