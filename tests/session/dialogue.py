"""Two sessions back to back, a link that can be cut anywhere, and a record of all that must come true.

Every message carries its number, so that what arrives can be checked against what was sent: nothing is
lost, doubled, altered or (throws) out of order. Time is virtual.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from communica_like.session import Session, State
from communica_like.session.bulk import MAX_STREAMS
from communica_like.session.events import (
    CANCEL,
    ERROR,
    EXPIRED,
    LINK_DEAD,
    REQUEST,
    RESULT,
    THROW,
    TIMED_OUT,
    Event,
)
from communica_like.wire.failure import REQ, Failure
from communica_like.wire.frames import HEADER_SIZE, MORE_PREFIX
from communica_like.wire.limits import MESSAGE_COST, Limits

__all__ = ["SMALLEST_BODY", "SMALL_LIMITS", "Dialogue", "Side"]

KIB: Final = 1024

SMALL_LIMITS: Final = Limits(
    max_message=32 * KIB,
    window=70 * KIB,
    replay=8 * KIB,
    chunk=1 * KIB,
    bulk_in_flight=2 * KIB,
    outbox=128 * KIB,
    heartbeat=5.0,
    resume_window=10.0,
)
"""So small that every limit is met within a few messages."""

_HEAD: Final = Struct("!cQI")

SMALLEST_BODY: Final = _HEAD.size


def _body(kind: bytes, number: int, size: int) -> bytes:
    size = max(size, SMALLEST_BODY)
    return _HEAD.pack(kind, number, size) + bytes([number & 0xFF]) * (size - SMALLEST_BODY)


def _number(kind: bytes, body: bytes) -> int:
    found, number, size = _HEAD.unpack_from(body)
    assert found == kind
    assert body == _body(kind, number, size), "a body was altered"
    return int(number)


def _route(number: int) -> bytes:
    return b"route"[: number % 6]


@dataclass
class Asked:
    """A request that is under way."""

    ident: int
    idempotent: bool
    deadline: float | None


@dataclass
class Taken:
    """A request of the other side that waits for its answer."""

    ident: int
    number: int
    cost: tuple[int, int]


@dataclass
class Side:
    """One session, and what its user knows."""

    session: Session
    pipe: bytearray = field(default_factory=bytearray)
    """Sent, and not yet delivered."""
    connected: bool = False
    """Whether what it sends arrives."""

    # What this side sent.
    numbers: int = 0
    asked: dict[int, Asked] = field(default_factory=dict)
    settled: int = 0
    next_throw: int = 1
    first_throw: int = 1
    """The first throw that the other side must still get, at the beginning of a session."""
    kept_throw: int = 1
    """The first throw that was never given up."""

    # What this side received.
    last_throw: int = 0
    throw_seen: bool = False
    """Whether a throw came in this session."""
    ever_taken: set[int] = field(default_factory=set)
    taken_now: set[int] = field(default_factory=set)
    to_answer: list[Taken] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    to_handle: list[tuple[int, int]] = field(default_factory=list)
    in_hand: list[int] = field(default_factory=lambda: [0, 0])
    """Credit that the other side spent and did not get back: small, large."""


class Dialogue:
    """Drives both sides and checks what they promise."""

    def __init__(self, limits: Limits = SMALL_LIMITS, other: Limits | None = None) -> None:
        self.now = 1000.0
        self.sides = (Side(Session(limits)), Side(Session(other or limits)))
        self._sessions = 0

    def other(self, side: Side) -> Side:
        return self.sides[1] if side is self.sides[0] else self.sides[0]

    # -- links

    def establish(self) -> None:
        """A new session, if there is none."""
        if any(side.session.state is not State.NEW for side in self.sides):
            return
        self._sessions += 1
        for side in self.sides:
            peer = self.other(side).session.limits
            refused = side.session.establish(self._sessions.to_bytes(16, "big"), peer, self.now)
            assert refused == []
        for side in self.sides:
            side.pipe.clear()
            side.connected = True

    def cut(self, unnoticed_by: Side | None = None) -> None:
        """The link breaks; what is under way is lost. One side may go on writing for a while."""
        for side in self.sides:
            side.pipe.clear()
            side.connected = False
            if side is not unnoticed_by and side.session.state is State.LIVE:
                side.session.lose_link(self.now)

    def resume(self, fails_at: Side | None = None) -> None:
        """A new link for the session. Or almost: *fails_at* never hears that the handshake was done."""
        self.cut()
        if any(side.session.state is not State.SUSPENDED for side in self.sides):
            return
        counts = [side.session.received for side in reversed(self.sides)]
        for side, count in zip(self.sides, counts, strict=True):
            if side is not fails_at:
                side.session.resume(count, self.now)
                side.connected = fails_at is None
        if fails_at is not None:
            self.flush(self.other(fails_at))
            self.cut()

    def end(self, keep: tuple[bool, bool]) -> None:
        """The session is over on both sides."""
        self.cut()
        for side, keeps in zip(self.sides, keep, strict=True):
            self._end(side, keeps)
        for side in self.sides:
            side.taken_now.clear()
            side.to_answer.clear()
            side.answered.clear()
            side.to_handle.clear()
            side.in_hand = [0, 0]
            side.throw_seen = False

    def _end(self, side: Side, keep: bool) -> None:
        other = self.other(side)
        lost = side.session.end(keep=keep)
        for token in lost.unknown:
            assert not (keep and side.asked[token].idempotent), "an idempotent request was not kept"
            self._settle(side, token)
        for token in lost.unsent:
            assert token not in other.ever_taken, "a request that was handled passes for not sent"
            assert not keep
            self._settle(side, token)
        if keep:
            assert lost.throws == 0
            # Those that were received and not acknowledged come again.
            side.first_throw = max(side.kept_throw, other.last_throw + 1)
        else:
            assert not side.asked, "a request was forgotten"
            assert side.session.pending == {}
            unreceived = side.next_throw - 1 - max(other.last_throw, side.first_throw - 1)
            assert lost.throws >= unreceived, "a lost throw was not counted"
            side.first_throw = side.kept_throw = side.next_throw
            assert side.session.buffered == side.session.bulk_buffered == 0

    # -- messages

    def request(
        self, side: Side, size: int, *, idempotent: bool = False, timeout: float | None = None
    ) -> bool:
        """Make a request; return False if there is no room for it."""
        number = side.numbers + 1
        had_room = side.session.buffered < side.session.limits.outbox
        deadline = None if timeout is None else self.now + timeout
        body = _body(b"Q", number, size)
        ident = side.session.request(number, _route(number), body, self.now, deadline, idempotent)
        if ident:
            assert had_room or not side.session._outbound._strict
            side.numbers = number
            side.asked[number] = Asked(ident, idempotent, deadline)
        return ident > 0

    def throw(self, side: Side, size: int) -> bool:
        """Throw; return False if there is no room for it."""
        number = side.next_throw
        if not side.session.throw(_route(number), _body(b"T", number, size), self.now):
            return False
        side.next_throw += 1
        return True

    def cancel(self, side: Side, index: int) -> None:
        """Cancel one of the requests under way, if any."""
        if side.asked:
            number = list(side.asked)[index % len(side.asked)]
            side.session.cancel(side.asked[number].ident)
            self._settle(side, number)

    def answer(self, side: Side, index: int, size: int, *, fails: bool = False) -> None:
        """Answer one of the requests in hand, if any. Its credit goes back by ``handle``."""
        if not side.to_answer:
            return
        taken = side.to_answer.pop(index % len(side.to_answer))
        if fails:
            text = "x" * (max(size, 16) - 13)
            side.session.fail(taken.ident, Failure(REQ, text, taken.number))
        else:
            side.session.answer(taken.ident, _body(b"A", taken.number, size))
        side.answered.add(taken.ident)
        side.to_handle.append(taken.cost)

    def handle(self, side: Side, index: int) -> None:
        """Give back the credit of a message, if any."""
        if side.to_handle:
            small, large = cost = side.to_handle.pop(index % len(side.to_handle))
            side.session.handled(cost)
            side.in_hand[0] -= small
            side.in_hand[1] -= large

    # -- bytes

    def flush(self, side: Side, writes: int | None = None) -> bool:
        """Write what may go, or so many times; return whether that was anything."""
        session = side.session
        limits = session.limits
        wrote = 0
        more = True
        while session.state is State.LIVE and wrote != writes:
            replay = session._outbound._replay
            size, bulk = replay.size, replay.bulk
            data = session.data_to_send(self.now)
            if replay.size > size:
                assert size < limits.replay
            if replay.bulk > bulk:
                assert bulk < max(limits.bulk_in_flight, 2 * limits.ack_size)
                assert replay.bulk - bulk <= (
                    session.agreed.chunk + HEADER_SIZE + MORE_PREFIX.size + len(b"route")
                )
            if not data:
                break
            assert more, "there was more to send than it said"
            more = session.more_to_send
            wrote += 1
            if side.connected:
                side.pipe += data
        self._check_counters(side)
        return wrote > 0

    def deliver(self, side: Side, size: int | None = None) -> bool:
        """Let the first bytes that *side* sent arrive; return whether there were any."""
        pipe = side.pipe
        if not pipe:
            return False
        data = bytes(pipe if size is None else pipe[:size])
        del pipe[: len(data)]
        other = self.other(side)
        self._heed(other, other.session.receive(data, self.now))
        self._check_counters(other)
        return True

    # -- time

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
        over = False
        for side in self.sides:
            if side.session.next_deadline <= self.now:
                for event in side.session.tick(self.now):
                    if event[0] == LINK_DEAD:
                        self.cut()
                    elif event[0] == EXPIRED:
                        over = True
                    else:
                        self._heed(side, [event])
                if side.session.state is not State.LIVE:
                    assert side.session.next_deadline > self.now or over
        if over:
            self.end((True, False))

    # -- all's well that ends well

    def finish(self) -> None:
        """With a link and users that do their part, all traffic completes."""
        if self.sides[0].session.state is State.NEW:
            self.establish()
        elif not all(side.connected and side.session.state is State.LIVE for side in self.sides):
            self.resume()
        idle = 0
        while idle < 4:
            busy = False
            for side in self.sides:
                busy |= self.flush(side)
                busy |= self.deliver(side)
            for side in self.sides:
                for _ in range(len(side.to_answer)):
                    self.answer(side, 0, 100)
                for _ in range(len(side.to_handle)):
                    self.handle(side, 0)
            if busy:
                idle = 0
            else:
                idle += 1
                # Acknowledgements may wait for company.
                self.advance(0.06)
        for side in self.sides:
            other = self.other(side)
            assert not side.asked, f"requests {list(side.asked)[:9]} were never answered"
            assert other.last_throw == side.next_throw - 1 or side.first_throw == side.next_throw
            assert side.session.flushed
            assert side.session.buffered == side.session.bulk_buffered == 0
            assert not side.session.congested
            assert side.in_hand == [0, 0]
            assert not side.session._inbound._partials
            assert side.session._inbound._partial_replies == 0
            outbound, inbound = side.session._outbound, other.session._inbound
            handled = inbound._granted + inbound._ungranted - inbound._limits.window
            assert outbound._spent == inbound._spent == handled
            handled = inbound._bulk_granted + inbound._bulk_ungranted - inbound._limits.max_message
            assert outbound.bulk._spent == inbound._bulk_spent == handled
            assert outbound._gate == (-1 if outbound._strict else outbound._credit)
            assert outbound._has_room(side.session.agreed.max_message), "no room, though all is done"

    # -- inside

    def _settle(self, side: Side, number: int) -> None:
        asked = side.asked.pop(number)  # once only
        side.settled += 1
        side.session.release(asked.ident)

    def _heed(self, side: Side, events: list[Event]) -> None:
        for kind, subject, number, route, body in events:
            if kind == RESULT:
                assert _number(b"A", body) == subject, "the answer to another request"
                self._settle(side, subject)
            elif kind == ERROR:
                failure = Failure.decode(number, body)
                assert failure.code == subject, "the failure of another request"
                assert set(failure.message) == {"x"}
                self._settle(side, subject)
            elif kind == TIMED_OUT:
                deadline = side.asked[subject].deadline
                assert deadline is not None
                assert deadline <= self.now
                self._settle(side, subject)
            elif kind == REQUEST:
                self._take_request(side, subject, number, route, body)
            elif kind == THROW:
                self._take_throw(side, route, body)
            elif kind == CANCEL:
                self._take_cancel(side, subject)
            else:
                raise AssertionError(f"event {kind}: {subject!r}")

    def _take_request(self, side: Side, ident: int, budget: int, route: bytes, body: bytes) -> None:
        number = _number(b"Q", body)
        assert route == _route(number)
        assert number not in side.taken_now, "a request came twice"
        asked = self.other(side).asked.get(number)
        if asked is not None:
            assert asked.ident == ident
            assert (budget > 0) is (asked.deadline is not None)
            assert asked.idempotent or number not in side.ever_taken, "a request was handled twice"
        side.taken_now.add(number)
        side.ever_taken.add(number)
        side.to_answer.append(Taken(ident, number, self._cost(side, route, body)))

    def _take_throw(self, side: Side, route: bytes, body: bytes) -> None:
        number = _number(b"T", body)
        assert route == _route(number)
        if side.throw_seen:
            assert number == side.last_throw + 1, f"throw {number} came after throw {side.last_throw}"
        else:
            sender = self.other(side)
            assert sender.kept_throw <= number <= sender.first_throw, f"throw {number} came first"
        side.throw_seen = True
        side.last_throw = number
        side.to_handle.append(self._cost(side, route, body))

    def _take_cancel(self, side: Side, ident: int) -> None:
        for index, taken in enumerate(side.to_answer):
            if taken.ident == ident:
                side.to_handle.append(taken.cost)
                del side.to_answer[index]
                return
        assert ident in side.answered, "a request that never came was cancelled"
        side.session.drop_answer(ident)

    def _cost(self, side: Side, route: bytes, body: bytes) -> tuple[int, int]:
        small, large = cost = side.session.cost(route, body)
        assert small + large in (len(body), len(route) + len(body) + MESSAGE_COST)
        side.session.hold(cost)
        side.in_hand[0] += small
        side.in_hand[1] += large
        assert side.in_hand[0] <= side.session.limits.window, "more small messages than the window holds"
        assert side.in_hand[1] <= side.session.limits.max_message, "more large messages than may be"
        return cost

    def _check_counters(self, side: Side) -> None:
        session = side.session
        outbound = session._outbound
        assert session.buffered >= 0
        assert session.bulk_buffered >= 0
        replay = outbound._replay
        assert outbound._framed == sum(map(len, outbound.frames)) + replay.size - replay.bulk
        assert outbound.bulk.reply_size >= 0
        assert len(session._inbound._partials) <= MAX_STREAMS
        assert session.pending.keys() == {asked.ident for asked in side.asked.values()}
