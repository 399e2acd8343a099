"""Inbound: turns bytes into messages, each once, within the credit granted."""

from __future__ import annotations

from collections.abc import Callable, Container
from struct import Struct
from typing import Any, Final

from ..exceptions import RemoteProtocolError
from ..wire.failure import CLOSING
from ..wire.frames import (
    ABANDON,
    ACK,
    ACK_BODY,
    CANCEL,
    CONTINUE,
    ERROR,
    HEADER_SIZE,
    LAST_SEQUENCED,
    MORE,
    MORE_PREFIX,
    REQUEST,
    RESULT,
    THROW,
    control,
)
from ..wire.limits import MESSAGE_COST, Limits
from .bulk import MAX_STREAMS
from .events import Event
from .partial import Partial

_ACK_FRAMES: Final = 64

# Kind and flags are compared as one number: nearly all frames have no flags.
_unpack: Final = Struct("!IHHQI").unpack_from
_MESSAGES: Final = frozenset((REQUEST << 8, THROW << 8))
_RESULT: Final = RESULT << 8


class Inbound:
    """The receiving half of a session.

    Args:
        limits: this side's limits.
        pending: tokens of requests by id; a response removes its token.
        repeatable: ids of requests that wait for the next session if the other side rejects them because it
            is closing.
        on_control: called with ``(kind, ident, arg, payload)`` of frames that carry no messages.

    Attributes:
        count: sequenced frames received in this session.
        ack_due: whether an acknowledgement should be sent now: the other side asked for one, or enough
            frames or credit have accumulated.
    """

    def __init__(
        self, limits: Limits, pending: dict[int, Any], repeatable: Container[int],
        on_control: Callable[[int, int, int, bytes], None],
    ) -> None:
        self._limits = limits
        self._pending = pending
        self._repeatable = repeatable
        self._on_control = on_control
        self._partials: dict[int, Partial] = {}
        self._worth_granting = limits.window // 4
        self.open(limits.chunk, limits.ack_size)

    def open(self, chunk: int, peer_ack_size: int) -> None:
        """Start a new session."""
        self._chunk = chunk
        self._ack_size = peer_ack_size
        self._tail = b""
        self._partials.clear()
        self._partial_replies = 0
        self.count = 0
        self._last_cost = self._last_large_cost = 0
        self.ack_due = False
        self._acknowledged = 0
        self._unacknowledged_bytes = 0
        # Credit: spent by the other side, and granted to it.
        self._spent = self._bulk_spent = 0
        self._granted = self._limits.window
        self._bulk_granted = self._limits.max_message
        # Handled, or not held, but not granted again yet. Negative if more is held than was received lately.
        self._ungranted = self._bulk_ungranted = 0

    def link_lost(self) -> None:
        """Drop the incomplete frame. The other side sends it again."""
        self._tail = b""

    def receive(self, data: bytes, events: list[Event], now: float) -> int:
        """Take bytes of the stream, cut anywhere, and append events to *events*. Return ``Session.only``.

        Raises:
            RemoteProtocolError: the other side violates the protocol. Earlier events have been appended.
        """
        if self._tail:
            self._unacknowledged_bytes -= len(self._tail)
            data = self._tail + data
            self._tail = b""
        size = len(data)
        self._unacknowledged_bytes += size
        results = others = False
        position = frames = spent = 0
        last_header = size - HEADER_SIZE
        # No local variables for bound methods: most calls bring a single frame.
        while position <= last_header:
            length, kind_and_flags, route_size, ident, arg = _unpack(data, position)
            start = position + HEADER_SIZE
            end = start + length
            if length > self._chunk:
                self._check_size(length, kind_and_flags, route_size)
            if end > size:
                break
            position = end
            if kind_and_flags == _RESULT:
                results = True
                frames += 1
                token = self._pending.pop(ident, None)
                if token is not None:
                    events.append((RESULT, token, 0, b"", data[start:end]))
                # else: the request was cancelled
            elif kind_and_flags in _MESSAGES:
                frames += 1
                spent += length + MESSAGE_COST
                if route_size:
                    split = start + route_size
                    if split > end:
                        raise RemoteProtocolError(f"a route of {route_size} bytes in a frame of {length}")
                    events.append((kind_and_flags >> 8, ident, arg, data[start:split], data[split:end]))
                else:
                    events.append((kind_and_flags >> 8, ident, arg, b"", data[start:end]))
            else:
                others = True
                kind, flags = divmod(kind_and_flags, 256)
                frames += self._uncommon(kind, flags, route_size, ident, arg, data[start:end], events, now)
        if position < size:
            self._tail = data[position:]
        self.count += frames
        if self.count - self._acknowledged >= _ACK_FRAMES or self._unacknowledged_bytes >= self._ack_size:
            self.ack_due = True
        if spent:
            self._spent += spent
            if self._spent > self._granted:
                raise RemoteProtocolError(f"credit overrun by {self._spent - self._granted} bytes")
            self._ungranted += spent
            if self._ungranted >= self._worth_granting:
                self.ack_due = True
        if results and not (others or spent or self.ack_due):
            return RESULT
        self._last_cost = spent
        return 0 if results or others else REQUEST

    def last_cost(self) -> tuple[int, int]:
        """Return the credit that small and large messages cost. See Session.last_cost."""
        large, self._last_large_cost = self._last_large_cost, 0
        return self._last_cost, large

    def hold(self, small: int, large: int) -> None:
        """Withhold credit until messages of this cost are handled."""
        self._ungranted -= small
        self._bulk_ungranted -= large

    def handled(self, small: int, large: int) -> None:
        """Return the credit of small and large messages that have been handled."""
        self._ungranted += small
        self._bulk_ungranted += large
        if self._ungranted >= self._worth_granting or self._bulk_ungranted > 0:
            self.ack_due = True

    @property
    def ack_owed(self) -> bool:
        """Whether there is anything at all to acknowledge, by and by."""
        return (
            self.count > self._acknowledged or self._ungranted > 0 or self._bulk_ungranted > 0 or self.ack_due
        )

    def ack(self) -> bytes:
        """Return an ACK frame that says all there is to say."""
        self._acknowledged = self.count
        self._unacknowledged_bytes = 0
        if self._ungranted > 0:
            self._granted += self._ungranted
            self._ungranted = 0
        if self._bulk_ungranted > 0:
            self._bulk_granted += self._bulk_ungranted
            self._bulk_ungranted = 0
        self.ack_due = False
        return control(ACK, ACK_BODY.pack(self._granted, self._bulk_granted), self.count)

    def _check_size(self, length: int, kind_and_flags: int, route_size: int) -> None:
        kind, flags = divmod(kind_and_flags, 256)
        most = self._chunk
        if REQUEST <= kind <= ERROR:
            if kind <= THROW:
                most += route_size
            if flags & MORE:
                most += MORE_PREFIX.size
        if length > most:
            raise RemoteProtocolError(f"a frame of {length} bytes, kind {kind}; at most {most} were agreed")

    # -- the less common frames

    def _uncommon(
        self, kind: int, flags: int, route_size: int, ident: int, arg: int, payload: bytes,
        events: list[Event], now: float,
    ) -> int:
        """Process a frame, and return whether it was sequenced: 0 or 1."""
        if flags & ~MORE:
            raise RemoteProtocolError(f"unknown flags {flags:#x} on a frame of kind {kind}")
        if kind == CONTINUE:
            self._continue(ident, payload, bool(flags), events, now)
        elif flags:
            if kind not in (REQUEST, THROW, RESULT, ERROR):
                raise RemoteProtocolError(f"a frame of kind {kind} that goes on")
            self._begin(kind, ident, arg, route_size, payload, now)
        elif kind == ERROR and arg == CLOSING and ident in self._repeatable:
            pass  # its token stays for the next session
        elif kind == ERROR:
            token = self._pending.pop(ident, None)
            if token is not None:
                events.append((ERROR, token, arg, b"", payload))
        elif kind == CANCEL:
            events.append((CANCEL, ident, 0, b"", b""))
        elif kind == ABANDON:
            self._abandon(ident)
        elif kind <= LAST_SEQUENCED:
            raise RemoteProtocolError(f"unknown frame kind {kind}")
        else:
            self._on_control(kind, ident, arg, payload)
            return 0
        return 1

    def _begin(self, kind: int, ident: int, arg: int, route_size: int, payload: bytes, now: float) -> None:
        start = MORE_PREFIX.size + route_size
        if len(payload) <= start:
            raise RemoteProtocolError("the first piece of a large message is empty")
        stream, total = MORE_PREFIX.unpack_from(payload)
        limit = self._limits.max_message
        if total > limit:
            raise RemoteProtocolError(f"a message of {total} bytes; at most {limit} are accepted")
        if total <= self._chunk:
            # It would spend credit for large messages and return credit for small ones.
            raise RemoteProtocolError(f"a message of {total} bytes in pieces of up to {self._chunk}")
        if stream in self._partials or len(self._partials) >= MAX_STREAMS:
            raise RemoteProtocolError(f"stream {stream} begins while {len(self._partials)} are under way")
        if kind in (REQUEST, THROW):
            self._bulk_spent += total
            if self._bulk_spent > self._bulk_granted:
                raise RemoteProtocolError(
                    f"credit for large messages overrun by {self._bulk_spent - self._bulk_granted} bytes"
                )
        else:
            self._partial_replies += total
            if self._partial_replies > limit:
                raise RemoteProtocolError(f"answers of over {limit} bytes at a time")
        route = payload[MORE_PREFIX.size : start]
        self._partials[stream] = partial = Partial(kind, ident, arg, route, total, now)
        partial.add(payload[start:], more=True)

    def _continue(self, stream: int, piece: bytes, more: bool, events: list[Event], now: float) -> None:
        partial = self._partials.get(stream)
        if partial is None:
            raise RemoteProtocolError(f"a piece of stream {stream}, which has not begun")
        partial.add(piece, more=more)
        if more:
            return
        del self._partials[stream]
        kind = partial.kind
        if kind in (REQUEST, THROW):
            events.append((kind, partial.ident, partial.budget(now), partial.route, partial.body()))
            self._last_large_cost += partial.total
            self.handled(0, partial.total)
            return
        self._partial_replies -= partial.total
        token = self._pending.pop(partial.ident, None)
        if token is not None:
            events.append((kind, token, partial.number, b"", partial.body()))

    def _abandon(self, stream: int) -> None:
        partial = self._partials.pop(stream, None)
        if partial is None:
            raise RemoteProtocolError(f"stream {stream} is given up, but has not begun")
        if partial.kind in (REQUEST, THROW):
            self.handled(0, partial.total)
        else:
            self._partial_replies -= partial.total
