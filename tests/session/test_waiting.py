from __future__ import annotations

from communica_like.session.waiting import Message, WaitingMessages
from communica_like.wire.frames import REQUEST, THROW
from communica_like.wire.limits import MESSAGE_COST


def request(ident: int, size: int = 10, deadline: float | None = None) -> Message:
    return Message(REQUEST, ident, deadline, b"route", bytes(size))


def throw(body: bytes) -> Message:
    return Message(THROW, 0, None, b"", body)


def waiting_of(*messages: Message) -> WaitingMessages:
    waiting = WaitingMessages()
    for message in messages:
        waiting.append(*message)
    return waiting


def test_messages_come_out_as_they_went_in() -> None:
    messages = [request(1, deadline=2.5), throw(b"a"), request(2), throw(b"b")]
    waiting = waiting_of(*messages)
    assert len(waiting) == 4
    assert waiting.throws == 2
    assert [waiting.next_within(5000) for _ in range(5)] == [*messages, None]
    assert (len(waiting), waiting.size, waiting.throws) == (0, 0, 0)


def test_only_the_first_may_go_and_only_within_credit() -> None:
    waiting = waiting_of(request(1, 100), request(2, 0))
    cost = 5 + 100 + MESSAGE_COST
    assert waiting.next_within(cost - 1) is None
    assert waiting.next_within(cost) == request(1, 100)
    assert waiting.next_within(0) is None
    assert len(waiting) == 1


def test_the_size_is_that_of_the_bytes_and_a_little_for_each_message() -> None:
    waiting = waiting_of(request(1, 100), throw(b"abc"))
    assert waiting.size == (5 + 100) + 3 + 2 * 256
    waiting.next_within(5000)
    assert waiting.size == 3 + 256


def test_throws_can_be_taken_without_credit() -> None:
    waiting = waiting_of(throw(b"a"), throw(b"b"))
    assert waiting.pop() == throw(b"a")
    assert (len(waiting), waiting.throws, waiting.size) == (1, 1, 1 + 256)


def test_a_cancelled_request_never_comes_out() -> None:
    waiting = waiting_of(request(1), throw(b"a"), request(2))
    assert waiting.cancel(1)
    assert not waiting.cancel(1)
    assert not waiting.cancel(3)
    assert waiting.next_within(5000) == throw(b"a")
    assert waiting.cancel(2)
    assert waiting.next_within(5000) is None
    assert (len(waiting), waiting.size) == (0, 0)


def test_a_cancelled_request_holds_nobody_up() -> None:
    waiting = waiting_of(request(1, 5000), request(2, 10))
    waiting.cancel(1)
    assert waiting.next_within(MESSAGE_COST + 15) == request(2, 10)


def test_cancelled_requests_do_not_pile_up() -> None:
    waiting = waiting_of(request(1), throw(b"a"))
    size = waiting.size
    for ident in range(2, 1000):
        waiting.append(*request(ident))
        assert waiting.cancel(ident)
        assert len(waiting) < 200
    assert waiting.size <= size + 200 * 300
    assert waiting.clear() == [request(1), throw(b"a")]


def test_a_line_can_be_emptied_and_used_again() -> None:
    waiting = waiting_of(request(1), request(2), throw(b"a"))
    waiting.cancel(1)
    assert waiting.clear() == [request(2), throw(b"a")]
    assert (len(waiting), waiting.size, waiting.throws) == (0, 0, 0)
    assert not waiting.cancel(2)
    waiting.append(*request(2))
    assert waiting.next_within(5000) == request(2)
