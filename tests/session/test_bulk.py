from __future__ import annotations

from communica_like.session.bulk import MAX_REPLIES, MAX_STREAMS, Bulk, BulkSender
from communica_like.wire.frames import (
    CONTINUE,
    ERROR,
    MORE,
    MORE_PREFIX,
    REQUEST,
    RESULT,
    THROW,
    split_frames,
)

CHUNK = 1024
PLENTY = 1 << 30


def bulk(kind: int, ident: int = 0, size: int = 3000) -> Bulk:
    return Bulk(kind, ident, 0, None, b"", bytes(size))


def sender(credit: int = PLENTY, max_reply: int = PLENTY) -> BulkSender:
    return BulkSender(CHUNK, credit, max_reply)


def started(sender: BulkSender) -> list[int]:
    """Start what may start; return the ids of what is under way, in the order of their turns."""
    sender.start_some()
    found: list[int] = []
    while (message := sender.next_message()) is not None and message.ident not in found:
        found.append(message.ident)
    return found


def test_a_message_is_cut_into_frames_of_chunk_size() -> None:
    body = bytes(range(256)) * 10
    message = Bulk(REQUEST, 7, 0, None, b"route", body)
    message.stream = 3
    frames = []
    while message.offset < len(body):
        frames += split_frames(message.next_frame(CHUNK, 500))
    assert [frame[:5] for frame in frames] == [
        (REQUEST, MORE, 5, 7, 500),
        (CONTINUE, MORE, 0, 3, 0),
        (CONTINUE, 0, 0, 3, 0),
    ]
    first = frames[0][5]
    assert first[: MORE_PREFIX.size] == MORE_PREFIX.pack(3, len(body))
    assert first[MORE_PREFIX.size : MORE_PREFIX.size + 5] == b"route"
    pieces = [first[MORE_PREFIX.size + 5 :], *(frame[5] for frame in frames[1:])]
    assert [len(piece) for piece in pieces] == [CHUNK, CHUNK, 512]
    assert b"".join(pieces) == body


def test_answers_are_replies_and_all_else_is_not() -> None:
    assert [bulk(kind).is_reply for kind in (RESULT, ERROR, REQUEST, THROW)] == [True, True, False, False]


def test_nothing_is_under_way_at_first() -> None:
    empty = sender()
    empty.start_some()
    assert empty.next_message() is None
    assert empty.busy == 0
    assert empty.unfinished() == []


def test_messages_take_turns() -> None:
    queue = sender()
    for ident in (1, 2, 3):
        queue.add(bulk(REQUEST, ident))
    assert started(queue) == [1, 2, 3]
    turns = [queue.next_message() for _ in range(6)]
    assert [message and message.ident for message in turns] == [2, 3, 1, 2, 3, 1]


def test_streams_have_numbers_of_their_own_that_wrap_around() -> None:
    queue = sender()
    queue._streams = 0xFFFFFFFE
    messages = [bulk(REQUEST, ident) for ident in (1, 2)]
    for message in messages:
        queue.add(message)
    queue.start_some()
    assert [message.stream for message in messages] == [0xFFFFFFFF, 1]


def test_no_more_than_max_streams_are_under_way() -> None:
    queue = sender()
    for ident in range(MAX_STREAMS + 3):
        queue.add(bulk(REQUEST, ident))
    assert started(queue) == list(range(MAX_STREAMS))
    done = queue.next_message()
    assert done
    queue.finished(done)
    assert MAX_STREAMS in started(queue)
    assert queue.busy == MAX_STREAMS + 2


def test_requests_and_throws_wait_for_credit_and_answers_do_not() -> None:
    queue = sender(credit=2999)
    queue.add(bulk(REQUEST, 1))
    queue.add(bulk(THROW, 2))
    queue.add(bulk(RESULT, 3))
    assert started(queue) == [3]
    queue.credit = 3000
    assert sorted(started(queue)) == [1, 3]
    queue.credit = 6000
    assert sorted(started(queue)) == [1, 2, 3]


def test_whoever_needs_much_credit_is_not_overtaken_forever() -> None:
    queue = sender(credit=3000)
    queue.add(bulk(THROW, 1, size=5000))
    queue.add(bulk(REQUEST, 2, size=2000))
    assert started(queue) == []
    queue.credit = 7000
    assert started(queue) == [1, 2]

    queue = sender(credit=3000)
    queue.add(bulk(REQUEST, 1, size=5000))
    queue.add(bulk(THROW, 2, size=2000))
    assert started(queue) == []
    queue.credit = 7000
    assert started(queue) == [1, 2]


def test_a_throw_may_have_to_wait_for_small_ones_and_holds_nobody_up() -> None:
    queue = sender()
    queue.throw_may_start = False
    queue.add(bulk(THROW, 1))
    queue.add(bulk(REQUEST, 2))
    assert started(queue) == [2]
    assert [message.ident for message in queue.unfinished()] == [2, 1]
    queue.throw_may_start = True
    assert started(queue) == [2, 1]


def test_a_throw_is_there_until_it_is_finished() -> None:
    queue = sender()
    message = bulk(THROW)
    queue.add(message)
    before = queue.throw
    queue.start_some()
    queue.start_some()
    assert queue.next_message() is message
    queue.finished(message)
    assert (before, queue.throw) == (message, None)
    assert queue.busy == 0


def test_answers_leave_room_for_a_throw_and_a_request() -> None:
    queue = sender()
    for ident in range(100, 140):
        queue.add(bulk(RESULT, ident))
    queue.add(bulk(THROW, 1))
    queue.add(bulk(REQUEST, 2))
    under_way = started(queue)
    assert len(under_way) == MAX_STREAMS
    assert {1, 2} < set(under_way)
    assert sum(ident >= 100 for ident in under_way) == MAX_REPLIES


def test_answers_at_a_time_are_no_more_than_the_other_side_takes() -> None:
    queue = sender(max_reply=7000)
    messages = [bulk(RESULT, ident) for ident in (1, 2, 3)]
    for message in messages:
        queue.add(message)
    assert queue.reply_size == 9000
    assert started(queue) == [1, 2]
    queue.finished(messages[0])
    assert queue.reply_size == 6000
    assert started(queue) == [2, 3]


def test_messages_are_found_by_their_id_wherever_they_are() -> None:
    queue = sender(credit=3000, max_reply=3000)
    waiting = {True: bulk(ERROR, 5), False: bulk(REQUEST, 5)}
    for reply, message in waiting.items():
        queue.add(message)
        assert queue.find(5, reply=reply) is message
    queue.add(bulk(THROW, 6))
    queue.start_some()
    last = {True: bulk(RESULT, 7), False: bulk(REQUEST, 8)}
    for reply, message in last.items():
        queue.add(message)
        assert queue.find(message.ident, reply=reply) is message
        assert queue.find(message.ident, reply=not reply) is None
        assert queue.find(5, reply=reply) is waiting[reply]
    assert queue.find(6, reply=False) is None


def test_what_is_given_up_before_its_first_frame_costs_nothing() -> None:
    queue = sender(credit=3000, max_reply=3000)
    for under_way in (False, True):
        for kind in (REQUEST, RESULT):
            message = bulk(kind, 1)
            queue.add(message)
            if under_way:
                queue.start_some()
                assert message.stream
            queue.drop(message)
        assert queue.busy == 0
        assert queue.reply_size == 0
    queue.add(bulk(REQUEST, 2))
    queue.add(bulk(RESULT, 3))
    assert set(started(queue)) == {2, 3}


def test_what_is_given_up_later_keeps_its_credit_until_the_other_side_gives_it_back() -> None:
    queue = sender(credit=3000)
    message = bulk(REQUEST, 1)
    queue.add(message)
    queue.start_some()
    message.next_frame(CHUNK, 0)
    queue.drop(message)
    queue.add(bulk(REQUEST, 2))
    assert started(queue) == []
    queue.credit = 6000
    assert started(queue) == [2]


def test_unfinished_are_requests_and_throws_that_are_not_wholly_in_frames() -> None:
    queue = sender(credit=6000)
    for kind, ident in ((THROW, 1), (RESULT, 2), (REQUEST, 3), (REQUEST, 4)):
        queue.add(bulk(kind, ident))
    assert [message.ident for message in queue.unfinished()] == [1, 3, 4]
    queue.start_some()
    assert sorted(message.ident for message in queue.unfinished()) == [1, 3, 4]
