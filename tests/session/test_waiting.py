from __future__ import annotations

from communica_like.session.waiting import Message, WaitingLine
from communica_like.wire.frames import REQUEST, THROW
from communica_like.wire.limits import MESSAGE_COST


def request(ident: int, size: int = 10, deadline: float | None = None) -> Message:
    return Message(REQUEST, ident, deadline, b"route", bytes(size))


def throw(body: bytes) -> Message:
    return Message(THROW, 0, None, b"", body)


def line_of(*messages: Message) -> WaitingLine:
    line = WaitingLine()
    for message in messages:
        line.append(*message)
    return line


def test_messages_come_out_as_they_went_in() -> None:
    messages = [request(1, deadline=2.5), throw(b"a"), request(2), throw(b"b")]
    line = line_of(*messages)
    assert len(line) == 4
    assert line.throws == 2
    assert [line.next_within(5000) for _ in range(5)] == [*messages, None]
    assert (len(line), line.size, line.throws) == (0, 0, 0)


def test_only_the_first_may_go_and_only_within_credit() -> None:
    line = line_of(request(1, 100), request(2, 0))
    cost = 5 + 100 + MESSAGE_COST
    assert line.next_within(cost - 1) is None
    assert line.next_within(cost) == request(1, 100)
    assert line.next_within(0) is None
    assert len(line) == 1


def test_the_size_is_that_of_the_bytes_and_a_little_for_each_message() -> None:
    line = line_of(request(1, 100), throw(b"abc"))
    assert line.size == (5 + 100) + 3 + 2 * 256
    line.next_within(5000)
    assert line.size == 3 + 256


def test_throws_can_be_taken_without_credit() -> None:
    line = line_of(throw(b"a"), throw(b"b"))
    assert line.pop() == throw(b"a")
    assert (len(line), line.throws, line.size) == (1, 1, 1 + 256)


def test_a_cancelled_request_never_comes_out() -> None:
    line = line_of(request(1), throw(b"a"), request(2))
    assert line.cancel(1)
    assert not line.cancel(1)
    assert not line.cancel(3)
    assert line.next_within(5000) == throw(b"a")
    assert line.cancel(2)
    assert line.next_within(5000) is None
    assert (len(line), line.size) == (0, 0)


def test_a_cancelled_request_holds_nobody_up() -> None:
    line = line_of(request(1, 5000), request(2, 10))
    line.cancel(1)
    assert line.next_within(MESSAGE_COST + 15) == request(2, 10)


def test_cancelled_requests_do_not_pile_up() -> None:
    line = line_of(request(1), throw(b"a"))
    size = line.size
    for ident in range(2, 1000):
        line.append(*request(ident))
        assert line.cancel(ident)
        assert len(line) < 200
    assert line.size <= size + 200 * 300
    assert line.clear() == [request(1), throw(b"a")]


def test_a_line_can_be_emptied_and_used_again() -> None:
    line = line_of(request(1), request(2), throw(b"a"))
    line.cancel(1)
    assert line.clear() == [request(2), throw(b"a")]
    assert (len(line), line.size, line.throws) == (0, 0, 0)
    assert not line.cancel(2)
    line.append(*request(2))
    assert line.next_within(5000) == request(2)
