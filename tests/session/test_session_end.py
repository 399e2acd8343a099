"""What a session leaves behind when it ends, and what the next one takes over."""

from __future__ import annotations

from dataclasses import replace

from communica_like.session.events import DROPPED, ERROR, GOODBYE, REQUEST, THROW
from communica_like.session.session import Lost
from communica_like.wire.failure import TOO_BIG, Failure
from communica_like.wire.greetings import REPLACED, Reason
from tests.session.pair import KIB, LIMITS, Pair


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
