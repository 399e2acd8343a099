from __future__ import annotations

from dataclasses import replace

import pytest

from communica_like.exceptions import LocalProtocolError, MessageTooBig, RemoteProtocolError
from communica_like.session.events import (
    BROKEN,
    CANCEL,
    DROPPED,
    ERROR,
    EXPIRED,
    GOODBYE,
    LINK_DEAD,
    REQUEST,
    RESULT,
    THROW,
    TIMED_OUT,
    Event,
)
from communica_like.session.session import Lost, Session
from communica_like.session.transitions import State
from communica_like.wire.failure import REQ, TOO_BIG, Failure
from communica_like.wire.frames import (
    ABANDON,
    ACK,
    ACK_BODY,
    HELLO,
    PING,
    control,
    split_frames,
)
from communica_like.wire.greetings import NO_SESSION, REPLACED, Reason
from communica_like.wire.limits import MESSAGE_COST, Limits

KIB = 1024
LIMITS = Limits(
    max_message=32 * KIB,
    window=70 * KIB,
    replay=8 * KIB,
    chunk=KIB,
    heartbeat=5.0,
    resume_window=10.0,
)
SESSION = bytes(range(16))
ACK_DELAY = 0.05


class Pair:
    """Two sessions and a perfect link."""

    def __init__(self, *, live: bool = True, limits: Limits = LIMITS, peer: Limits = LIMITS) -> None:
        self.now = 100.0
        self.a, self.b = Session(limits), Session(peer)
        self.events: dict[Session, list[Event]] = {self.a: [], self.b: []}
        if live:
            self.establish()

    def establish(self) -> list[Event]:
        self.b.establish(SESSION, self.a.limits, self.now)
        return self.a.establish(SESSION, self.b.limits, self.now)

    def carry(self, sender: Session) -> list[Event]:
        """Deliver what *sender* has to send; return what the other side makes of it."""
        receiver = self.b if sender is self.a else self.a
        events: list[Event] = []
        while data := sender.data_to_send(self.now):
            events += receiver.receive(data, self.now)
        return events

    def settle(self) -> None:
        """Let all acknowledgements arrive."""
        for _ in range(4):
            for session in (self.a, self.b):
                session.ask_for_ack()
                self.carry(session)

    def lose_link(self) -> None:
        self.a.lose_link(self.now)
        self.b.lose_link(self.now)

    def resume(self) -> None:
        counts = self.a.received, self.b.received
        self.a.resume(counts[1], self.now)
        self.b.resume(counts[0], self.now)

    def wait(self, seconds: float) -> list[Event]:
        """Return the events of the first session's clock."""
        self.now += seconds
        return self.a.tick(self.now)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def kinds(data: bytes) -> list[int]:
    return [frame[0] for frame in split_frames(data)]


# -- conversation


def test_a_request_and_its_answer(pair: Pair) -> None:
    token = object()
    ident = pair.a.request(token, b"route", b"body", pair.now, pair.now + 1.5)
    assert pair.a.pending == {ident: token}
    assert pair.carry(pair.a) == [(REQUEST, ident, 1500, b"route", b"body")]
    pair.b.answer(ident, b"yes")
    assert pair.carry(pair.b) == [(RESULT, token, 0, b"", b"yes")]
    assert pair.a.pending == {}


def test_a_request_that_fails(pair: Pair) -> None:
    ident = pair.a.request("token", b"", b"", pair.now)
    pair.carry(pair.a)
    failure = Failure(REQ, "no such thing", 404)
    pair.b.fail(ident, failure)
    assert pair.carry(pair.b) == [(ERROR, "token", REQ, b"", failure.encode())]


def test_requests_have_ids_of_their_own(pair: Pair) -> None:
    idents = [pair.a.request(n, b"", b"", pair.now) for n in range(3)]
    assert idents == [1, 2, 3]


def test_throws_go_both_ways_in_order(pair: Pair) -> None:
    for session in (pair.a, pair.b):
        assert session.throw(b"rt", b"x" * 3000, pair.now)
        assert session.throw(b"", b"y", pair.now)
        events = pair.carry(session)
        assert events == [(THROW, 0, 0, b"rt", b"x" * 3000), (THROW, 0, 0, b"", b"y")]
        pair.settle()


def test_a_request_can_be_cancelled(pair: Pair) -> None:
    ident = pair.a.request("token", b"", b"", pair.now, pair.now + 1, idempotent=True)
    pair.carry(pair.a)
    pair.a.cancel(ident)
    pair.a.cancel(ident)
    assert pair.a.pending == {}
    assert pair.carry(pair.a) == [(CANCEL, ident, 0, b"", b"")]
    # The answer was under way.
    pair.b.answer(ident, b"late")
    assert pair.carry(pair.b) == []
    assert pair.wait(2) == []


def test_an_answer_that_nobody_wants_is_not_sent_on(pair: Pair) -> None:
    ident = pair.a.request("token", b"", b"", pair.now)
    pair.carry(pair.a)
    pair.b.answer(ident, bytes(10 * KIB))
    pair.a.receive(pair.b.data_to_send(pair.now), pair.now)
    pair.b.drop_answer(ident)
    assert pair.b.bulk_buffered == 0
    frames = [kind for kind in kinds(pair.b.data_to_send(pair.now)) if kind != ACK]
    assert frames == [ABANDON]


def test_a_full_outbox_takes_no_more() -> None:
    pair = Pair(limits=replace(LIMITS, outbox=2000))
    taken = 0
    while pair.a.throw(b"", bytes(500), pair.now):
        taken += 1
    assert taken == 4
    assert pair.a.request("token", b"", b"", pair.now) == 0
    assert pair.a.pending == {}
    assert not pair.a.has_room
    pair.carry(pair.a)
    pair.settle()
    assert pair.a.request("token", b"", b"", pair.now) == 1


def test_a_message_that_can_never_be_sent_is_refused_at_once(pair: Pair) -> None:
    body = bytes(32 * KIB + 1)
    with pytest.raises(MessageTooBig):
        pair.a.request("token", b"", body, pair.now, pair.now + 1)
    with pytest.raises(MessageTooBig):
        pair.a.throw(b"", body, pair.now)
    assert pair.a.pending == {}
    assert pair.wait(1) == []


def test_large_messages_come_one_piece_at_a_time(pair: Pair) -> None:
    pair.a.throw(b"", bytes(3 * KIB), pair.now)
    pair.a.throw(b"", b"", pair.now)
    for _ in range(2):
        assert len(split_frames(pair.a.data_to_send(pair.now))) == 1
        assert pair.a.more_to_send
    # The last piece lets the throw behind it go.
    assert len(split_frames(pair.a.data_to_send(pair.now))) == 2
    assert not pair.a.more_to_send
    assert pair.a.data_to_send(pair.now) == b""


# -- credit


def test_what_a_message_costs(pair: Pair) -> None:
    assert pair.a.cost(b"route", bytes(KIB)) == (5 + KIB + MESSAGE_COST, 0)
    assert pair.a.cost(b"route", bytes(KIB + 1)) == (0, KIB + 1)


def test_credit_comes_back_when_messages_are_handled(pair: Pair) -> None:
    for _ in range(100):
        pair.a.throw(b"", bytes(KIB), pair.now)
    events = pair.carry(pair.a)
    assert len(events) == 35
    while events:
        costs = [pair.b.cost(event[3], event[4]) for event in events]
        for cost in costs:
            pair.b.hold(cost)
        pair.carry(pair.b)
        assert pair.carry(pair.a) == []
        for cost in costs:
            pair.b.handled(cost)
        pair.carry(pair.b)
        events = pair.carry(pair.a)
    pair.settle()
    assert pair.a.flushed
    assert pair.a.buffered == 0


def test_a_side_is_congested_by_answers_that_do_not_go_out_and_never_by_lack_of_credit() -> None:
    pair = Pair(limits=replace(LIMITS, outbox=20_000))
    while pair.a.throw(b"", bytes(KIB), pair.now):
        pass
    pair.a.data_to_send(pair.now)
    assert pair.a.buffered >= 20_000
    found = [pair.a.congested]
    for _ in range(20):
        pair.a.answer(1, bytes(KIB))
        found.append(pair.a.congested)
    assert found == [False] * 20 + [True]

    pair = Pair()
    pair.a.answer(1, bytes(32 * KIB))
    found = [pair.a.congested]
    pair.a.answer(2, bytes(KIB + 1))
    assert [*found, pair.a.congested] == [False, True]
    assert pair.a.bulk_buffered == 33 * KIB + 1


# -- acknowledgements


def test_an_acknowledgement_waits_a_little_for_company(pair: Pair) -> None:
    pair.b.throw(b"", b"", pair.now)
    pair.carry(pair.b)
    assert pair.a.data_to_send(pair.now) == b""
    assert pair.a.next_deadline == pair.now + ACK_DELAY
    assert pair.wait(ACK_DELAY) == []
    assert not pair.b.flushed
    pair.carry(pair.a)
    assert pair.b.flushed


def test_an_acknowledgement_that_went_early_does_not_go_again(pair: Pair) -> None:
    pair.b.throw(b"", b"", pair.now)
    pair.carry(pair.b)
    pair.b.ask_for_ack()
    pair.carry(pair.b)
    assert kinds(pair.a.data_to_send(pair.now)) == [ACK]
    pair.wait(ACK_DELAY)
    assert pair.a.data_to_send(pair.now) == b""


def test_credit_for_large_messages_goes_back_without_being_asked_for(pair: Pair) -> None:
    pair.b.request("token", b"", bytes(32 * KIB), pair.now)
    while not pair.b.flushed:
        events = pair.carry(pair.b)
        pair.carry(pair.a)
        pair.wait(ACK_DELAY)
        pair.carry(pair.a)
    ((_, _, _, route, body),) = events
    pair.a.handled(pair.a.cost(route, body))
    assert kinds(pair.a.data_to_send(pair.now)) == [ACK]


def test_an_acknowledgement_is_not_sent_twice_for_one_timer(pair: Pair) -> None:
    pair.b.throw(b"", b"", pair.now)
    pair.carry(pair.b)
    deadline = pair.a.next_deadline
    pair.b.throw(b"", b"", pair.now)
    pair.now += 0.01
    pair.carry(pair.b)
    assert pair.a.next_deadline == deadline


# -- links


def test_a_session_goes_through_its_states() -> None:
    pair = Pair(live=False)
    found = [(pair.a.state, pair.a.session_id)]
    for step in (pair.establish, pair.lose_link, pair.resume, lambda: pair.a.end(keep=False)):
        step()
        found.append((pair.a.state, pair.a.session_id))
    assert found == [
        (State.NEW, NO_SESSION),
        (State.LIVE, SESSION),
        (State.SUSPENDED, SESSION),
        (State.LIVE, SESSION),
        (State.NEW, NO_SESSION),
    ]
    with pytest.raises(LocalProtocolError):
        pair.a.resume(0, pair.now)


def test_both_sides_limits_are_known() -> None:
    peer = replace(LIMITS, heartbeat=3.0, max_message=16 * KIB)
    pair = Pair(peer=peer)
    assert pair.a.limits == LIMITS
    assert pair.a.peer_limits == peer
    assert pair.a.agreed == replace(LIMITS, heartbeat=3.0)


def test_after_a_lost_link_all_that_is_missing_comes_again(pair: Pair) -> None:
    pair.a.throw(b"", b"1", pair.now)
    pair.carry(pair.a)
    pair.a.throw(b"", b"2", pair.now)
    pair.a.data_to_send(pair.now)
    pair.lose_link()
    pair.a.throw(b"", b"3", pair.now)
    assert pair.b.received == 1
    pair.resume()
    assert [event[4] for event in pair.carry(pair.a)] == [b"2", b"3"]
    pair.carry(pair.b)
    assert pair.a.flushed


def test_an_acknowledgement_that_was_lost_is_made_up_for(pair: Pair) -> None:
    pair.a.throw(b"", b"", pair.now)
    pair.carry(pair.a)
    pair.a.ask_for_ack()
    pair.carry(pair.a)
    assert kinds(pair.b.data_to_send(pair.now)) == [ACK]  # and lost
    pair.lose_link()
    pair.resume()
    pair.carry(pair.b)
    assert pair.a.flushed


def test_what_was_meant_for_a_link_dies_with_it(pair: Pair) -> None:
    pair.a.ask_for_ack()
    pair.lose_link()
    pair.resume()
    assert PING not in kinds(pair.a.data_to_send(pair.now))


def test_a_session_can_be_resumed_from_any_frame_that_is_not_acknowledged(pair: Pair) -> None:
    pair.a.throw(b"", b"", pair.now)
    pair.carry(pair.a)
    pair.settle()
    pair.a.throw(b"", b"", pair.now)
    pair.a.throw(b"", b"", pair.now)
    pair.a.data_to_send(pair.now)
    pair.lose_link()
    assert [pair.a.can_resume(count) for count in range(5)] == [False, True, True, True, False]


def test_a_resume_that_claims_too_much_leaves_the_session_as_it_was(pair: Pair) -> None:
    pair.lose_link()
    with pytest.raises(RemoteProtocolError):
        pair.a.resume(1, pair.now)
    assert pair.a.state is State.SUSPENDED
    pair.resume()


# -- the end of a session


def test_messages_wait_for_the_first_session() -> None:
    pair = Pair(live=False)
    pair.a.request("token", b"", b"1", pair.now, pair.now + 9)
    pair.a.throw(b"", b"2", pair.now)
    pair.now += 1
    assert pair.establish() == []
    assert pair.carry(pair.a) == [(REQUEST, 1, 8000, b"", b"1"), (THROW, 0, 0, b"", b"2")]


def test_what_waited_and_is_too_big_is_reported() -> None:
    pair = Pair(live=False, peer=replace(LIMITS, max_message=2 * KIB))
    pair.a.request("token", b"", bytes(3 * KIB), pair.now)
    pair.a.throw(b"", bytes(4 * KIB), pair.now)
    failed, dropped = pair.establish()
    text = f"{3 * KIB} bytes; the other side accepts at most {2 * KIB}"
    assert failed == (ERROR, "token", TOO_BIG, b"", Failure(TOO_BIG, text).encode())
    assert dropped == (DROPPED, 0, 4 * KIB, b"", b"")
    assert pair.a.pending == {}


def test_what_a_session_that_is_over_leaves_behind(pair: Pair) -> None:
    pair.a.request("acknowledged", b"", b"", pair.now)
    pair.a.throw(b"", b"", pair.now)
    pair.carry(pair.a)
    pair.settle()
    pair.a.request("written", b"", b"", pair.now, pair.now + 1, idempotent=True)
    pair.a.throw(b"", b"", pair.now)
    pair.a.data_to_send(pair.now)
    pair.a.request("not written", b"", b"", pair.now)
    pair.a.throw(b"", b"", pair.now)
    pair.a.request("large", b"", bytes(5 * KIB), pair.now)
    pair.a.cancel(pair.a.request("cancelled", b"", b"", pair.now))
    lost = pair.a.end(keep=False)
    assert lost == Lost(["acknowledged", "written"], ["not written", "large"], 2)
    assert pair.a.pending == {}
    assert pair.wait(2) == []
    assert pair.a.flushed


def test_what_may_be_sent_again_is_kept_for_the_next_session(pair: Pair) -> None:
    for stage in ("acknowledged", "written", "not written"):
        for idempotent in (False, True):
            token = (stage, idempotent)
            pair.a.request(token, b"rt", stage.encode(), pair.now, pair.now + 9, idempotent)
        pair.a.throw(b"", stage.encode(), pair.now)
        if stage == "acknowledged":
            pair.carry(pair.a)
            pair.settle()
        elif stage == "written":
            pair.a.data_to_send(pair.now)
    lost = pair.a.end(keep=True)
    assert lost == Lost([("acknowledged", False), ("written", False)], [], 0)
    pair.b.end(keep=False)
    pair.now += 1
    pair.establish()
    events = pair.carry(pair.a)
    assert [(event[0], event[2], event[4]) for event in events] == [
        (THROW, 0, b"written"),
        (REQUEST, 8000, b"acknowledged"),
        (REQUEST, 8000, b"written"),
        (REQUEST, 8000, b"not written"),
        (REQUEST, 8000, b"not written"),
        (THROW, 0, b"not written"),
    ]
    for event in events:
        if event[0] == REQUEST:
            pair.b.answer(event[1], b"")
    assert [event[1] for event in pair.carry(pair.b)] == [
        ("acknowledged", True),
        ("written", True),
        ("not written", False),
        ("not written", True),
    ]


def test_a_request_that_was_sent_in_an_earlier_session_does_not_pass_for_not_sent(pair: Pair) -> None:
    ident = pair.a.request("twice", b"", b"", pair.now, idempotent=True)
    pair.a.request("never", b"", b"", pair.now, idempotent=True)
    other = pair.a.request("answered", b"", b"", pair.now, idempotent=True)
    assert ident
    pair.carry(pair.a)
    pair.a.end(keep=True)
    assert pair.a.was_sent_before(ident)
    pair.a.cancel(other)
    new = pair.a.request("never", b"", b"", pair.now, idempotent=True)
    assert not pair.a.was_sent_before(new)
    lost = pair.a.end(keep=False)
    assert lost == Lost(["twice", "never"], ["never"], 0)


def test_cancelled_requests_are_not_kept(pair: Pair) -> None:
    ident = pair.a.request("token", b"", b"", pair.now, idempotent=True)
    pair.a.cancel(ident)
    pair.a.end(keep=True)
    pair.b.end(keep=False)
    pair.establish()
    assert pair.carry(pair.a) == []


def test_pieces_of_messages_do_not_outlive_the_session(pair: Pair) -> None:
    pair.b.throw(b"", bytes(5 * KIB), pair.now)
    pair.a.receive(pair.b.data_to_send(pair.now), pair.now)
    assert pair.a.received == 1
    pair.a.end(keep=False)
    assert pair.a.received == 0
    assert not pair.a._inbound._partials


def test_a_side_says_why_it_leaves_and_what_it_has(pair: Pair) -> None:
    pair.b.throw(b"", b"", pair.now)
    pair.carry(pair.b)
    reason = Reason(REPLACED, "another one came")
    pair.a.say_goodbye(reason)
    ((kind, _, code, _, body),) = pair.carry(pair.a)
    assert kind == GOODBYE
    assert Reason.decode(code, body) == reason
    assert pair.b.flushed


# -- time


def test_a_request_times_out_once_and_the_other_side_is_told(pair: Pair) -> None:
    ident = pair.a.request("token", b"", b"", pair.now, pair.now + 1.0)
    pair.a.request("patient", b"", b"", pair.now, pair.now + 3.0)
    assert pair.a.next_deadline == pair.now + 1.0
    pair.carry(pair.a)
    assert pair.wait(0.9) == []
    assert pair.wait(0.1) == [(TIMED_OUT, "token", 0, b"", b"")]
    assert pair.carry(pair.a) == [(CANCEL, ident, 0, b"", b"")]
    assert pair.wait(0.1) == []


def test_a_later_deadline_does_not_move_the_next_one(pair: Pair) -> None:
    pair.a.request("token", b"", b"", pair.now, pair.now + 1.0)
    pair.a.request("token", b"", b"", pair.now, pair.now + 2.0)
    assert pair.a.next_deadline == pair.now + 1.0


def test_deadlines_hold_without_a_link() -> None:
    pair = Pair(live=False)
    pair.a.request("token", b"", b"", pair.now, pair.now + 1.0)
    assert pair.a.next_deadline == pair.now + 1.0
    assert pair.wait(1.0) == [(TIMED_OUT, "token", 0, b"", b"")]
    assert pair.a.next_deadline == float("inf")
    assert pair.a.flushed


def test_a_released_request_has_no_deadline(pair: Pair) -> None:
    ident = pair.a.request("token", b"", b"", pair.now, pair.now + 1.0, idempotent=True)
    pair.carry(pair.a)
    pair.b.answer(ident, b"")
    pair.carry(pair.b)
    pair.a.release(ident)
    assert pair.wait(1.0) == []


def test_a_deadline_of_a_request_that_was_answered_is_harmless(pair: Pair) -> None:
    ident = pair.a.request("token", b"", b"", pair.now, pair.now + 1.0)
    pair.carry(pair.a)
    pair.b.answer(ident, b"")
    pair.carry(pair.b)
    assert pair.wait(1.0) == []
    assert CANCEL not in kinds(pair.a.data_to_send(pair.now))


def test_a_silent_link_is_probed_and_then_dead(pair: Pair) -> None:
    assert pair.a.next_deadline == pair.now + 2.5
    assert pair.wait(2.4) == []
    assert pair.a.data_to_send(pair.now) == b""
    assert pair.wait(0.1) == []
    assert kinds(pair.a.data_to_send(pair.now)) == [PING]
    assert pair.a.next_deadline == pair.now + 2.5
    assert pair.wait(1.0) == []
    assert pair.a.data_to_send(pair.now) == b""
    assert pair.wait(1.5) == [(LINK_DEAD, "silent for 5.0 s", 0, b"", b"")]


def test_the_answer_to_a_probe_keeps_a_link_alive(pair: Pair) -> None:
    for _ in range(10):
        pair.wait(2.5)
        pair.carry(pair.a)
        assert pair.carry(pair.b) == []
        assert pair.a.next_deadline > pair.now
    assert pair.a.tick(pair.now + 2.4) == []


def test_the_resume_window_closes(pair: Pair) -> None:
    pair.lose_link()
    assert pair.a.next_deadline == pair.now + 10.0
    assert pair.wait(9.9) == []
    assert pair.wait(0.1) == [(EXPIRED, 0, 0, b"", b"")]


def test_a_resumed_session_has_its_heartbeat_again(pair: Pair) -> None:
    pair.now += 1
    pair.lose_link()
    pair.now += 8
    pair.resume()
    assert pair.a.next_deadline == pair.now + 2.5
    assert pair.wait(2.4) == []


# -- the other side breaks the protocol


@pytest.mark.parametrize(
    "data, complaint",
    [
        (control(HELLO), "a greeting .kind 32. after the handshake"),
        (control(ACK, b"short"), "ACK of 5 bytes"),
        (control(ACK, ACK_BODY.pack(0, 0), ident=1), "frame 1 acknowledged"),
        (control(0), "unknown frame kind 0"),
    ],
)
def test_a_breach_of_the_protocol_is_an_event(pair: Pair, data: bytes, complaint: str) -> None:
    pair.b.throw(b"", b"fine", pair.now)
    (fine, (kind, error, _, _, _)) = pair.a.receive(pair.b.data_to_send(pair.now) + data, pair.now)
    assert fine[0] == THROW
    assert kind == BROKEN
    assert isinstance(error, RemoteProtocolError)
    with pytest.raises(RemoteProtocolError, match=complaint):
        raise error


def test_control_frames_of_later_versions_are_ignored(pair: Pair) -> None:
    assert pair.a.receive(control(19, b"?") + control(31), pair.now) == []
    assert pair.a.received == 0


def test_messages_and_results_alone_are_told_from_all_else(pair: Pair) -> None:
    def only() -> int:
        pair.carry(pair.b)
        return pair.a.only

    pair.b.throw(b"", b"", pair.now)
    pair.b.request("token", b"", b"", pair.now)
    assert only() == REQUEST
    ident = pair.a.request("another", b"", b"", pair.now)
    pair.b.answer(ident, b"")
    assert only() == RESULT
    pair.b.throw(b"", b"", pair.now)
    pair.b.answer(2, b"")
    assert only() == 0
    pair.b.throw(b"", b"", pair.now)
    pair.b.cancel(1)
    assert only() == 0
    pair.b.throw(b"", bytes(KIB + 1), pair.now)
    assert only() == 0
    # Messages beyond the credit come with an event that is none.
    too_many = control(THROW) * (LIMITS.window // MESSAGE_COST + 1)
    events = pair.a.receive(too_many, pair.now)
    assert events[-1][0] == BROKEN
    assert pair.a.only == 0
