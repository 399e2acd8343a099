"""Deadlines, heartbeats, and the resume window."""

from __future__ import annotations

from communica_like.session.events import CANCEL, EXPIRED, LINK_DEAD, TIMED_OUT
from communica_like.wire.frames import PING
from tests.session.pair import Pair, kinds


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
    assert pair.wait(1.0) == [(TIMED_OUT, "token", 1, b"", b"")]
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
