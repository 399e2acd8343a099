from __future__ import annotations

from dataclasses import replace

import pytest

from communica_like.exceptions import MessageTooBig, RemoteProtocolError
from communica_like.session.events import BROKEN, CANCEL, ERROR, REQUEST, RESULT, THROW
from communica_like.wire.failure import REQ, Failure
from communica_like.wire.frames import ABANDON, ACK, ACK_BODY, HELLO, control, split_frames
from communica_like.wire.limits import MESSAGE_COST
from tests.session.pair import ACK_DELAY, KIB, LIMITS, Pair, kinds

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


def test_what_the_messages_of_one_read_cost(pair: Pair) -> None:
    pair.b.throw(b"rt", b"body", pair.now)
    pair.b.request("token", b"", b"", pair.now)
    pair.b.answer(1, b"costs nothing")
    pair.carry(pair.b)
    assert pair.a.last_cost() == (6 + 2 * MESSAGE_COST, 0)


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
