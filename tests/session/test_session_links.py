"""A session outlives its links."""

from __future__ import annotations

from dataclasses import replace

import pytest

from communica_like.exceptions import LocalProtocolError, RemoteProtocolError
from communica_like.session.transitions import State
from communica_like.wire.frames import ACK, PING
from communica_like.wire.greetings import NO_SESSION
from tests.session.pair import KIB, LIMITS, SESSION, Pair, kinds


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
