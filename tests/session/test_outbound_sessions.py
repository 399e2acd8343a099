"""What becomes of messages that were put in: taken back, sent again, or given back at the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from communica_like.exceptions import RemoteProtocolError
from communica_like.wire.frames import ABANDON, CANCEL, CONTINUE, MORE, REQUEST, RESULT, THROW, split_frames
from communica_like.wire.limits import MESSAGE_COST
from tests.session.sender import CHUNK, KIB, LIMITS, WINDOW, Sender, idents, large, small, thrown

# -- taking requests back


def test_a_request_that_waits_is_taken_back_without_a_word() -> None:
    sender = Sender()
    sender.fill()
    sender.request(1)
    sender.request(2)
    sender.outbound.cancel_request(2, 0.0)
    sender.ack(2 * WINDOW)
    assert idents(sender.write_all()) == [1]
    assert sender.flushed()
    assert sender.outbound.buffered == 0


def test_those_behind_a_request_that_was_taken_back_may_need_less_credit() -> None:
    sender = Sender()
    sender.fill()
    sender.ack(WINDOW + MESSAGE_COST + 200)
    sender.request(1, CHUNK)
    sender.request(2, CHUNK)
    sender.request(3, 100)
    assert sender.write() == []
    sender.outbound.cancel_request(2, 0.0)
    assert sender.write() == []
    sender.outbound.cancel_request(1, 0.0)
    assert idents(sender.write_all()) == [3]
    assert sender.flushed()


def test_many_requests_that_were_taken_back_do_not_pile_up() -> None:
    sender = Sender()
    sender.fill()
    sender.request(1)
    sender.throw(small("a"))
    before = sender.outbound.buffered
    for ident in range(2, 200):
        sender.request(ident)
        sender.outbound.cancel_request(ident, 0.0)
    assert sender.outbound.buffered <= before + 70 * 300
    sender.ack(2 * WINDOW)
    assert idents(sender.write_all()) == [1, 0]
    assert sender.outbound.buffered == 0


def test_a_request_in_frames_is_cancelled_by_telling_the_other_side() -> None:
    sender = Sender()
    sender.request(1)
    sender.outbound.cancel_request(1, 0.0)
    assert [frame[:5] for frame in sender.write()] == [(REQUEST, 0, 0, 1, 0), (CANCEL, 0, 0, 1, 0)]
    sender.request(2, 2000)
    sender.write_all()
    sender.outbound.cancel_request(2, 0.0)
    assert [frame[:5] for frame in sender.write_all()] == [(CANCEL, 0, 0, 2, 0)]
    assert sender.outbound.buffered == 0


@pytest.mark.parametrize("stage", ["queued", "chosen", "begun"])
def test_a_large_request_can_be_taken_back_at_each_stage(stage: str) -> None:
    sender = Sender()
    sender.request(1, 5 * CHUNK)
    if stage != "queued":
        if stage == "chosen":
            sender.request(2, 5 * CHUNK)
        sender.write()
    # Of two that are under way, the second has not had its turn.
    victim = 2 if stage == "chosen" else 1
    sender.outbound.cancel_request(victim, 0.0)
    told = [frame for frame in sender.write_all() if frame[0] in (ABANDON, CANCEL)]
    assert told == ([(ABANDON, 0, 0, 1, 0, b"")] if stage == "begun" else [])
    assert sender.flushed()
    assert sender.outbound.buffered == sender.outbound.bulk_buffered == 0
    # Its credit is not lost.
    spent = 5 * CHUNK if stage != "queued" else 0
    sender.request(9, 32 * KIB - spent)
    assert sender.write_all() != []
    assert sender.flushed()


@pytest.mark.parametrize("begun", [False, True])
def test_a_large_answer_can_be_dropped(begun: bool) -> None:
    sender = Sender()
    sender.outbound.reply(RESULT, 1, 0, bytes(5 * CHUNK))
    if begun:
        sender.write()
    sender.outbound.cancel_reply(1)
    sender.outbound.cancel_reply(1)
    sender.outbound.cancel_reply(2)
    assert [frame[0] for frame in sender.write_all()] == [ABANDON] * begun
    assert sender.outbound.bulk_buffered == sender.outbound.bulk.reply_size == 0
    assert sender.flushed()


# -- links


def test_on_a_new_link_exactly_what_is_missing_is_sent_again() -> None:
    sender = Sender()
    sender.request(1)
    sender.throw(small("a"))
    sender.write()
    sender.request(2, 2 * CHUNK)
    sender.write()
    replay = split_frames(sender.outbound.rewind(1, 0.0))
    assert [frame[:4] for frame in replay] == [(THROW, 0, 0, 0), (REQUEST, MORE, 0, 2)]
    # The large one goes on where it was.
    assert [frame[:4] for frame in sender.write()] == [(CONTINUE, 0, 0, 1)]
    assert [sender.outbound.can_rewind(count) for count in (0, 1, 4, 5)] == [False, True, True, False]
    assert sender.outbound.rewind(4, 0.0) == b""
    with pytest.raises(RemoteProtocolError):
        sender.outbound.rewind(5, 0.0)


# -- sessions


def test_before_a_session_all_messages_wait() -> None:
    sender = Sender(opened=False)
    sender.request(1, deadline=2.0)
    sender.throw(large("a"))
    sender.throw(small("b"))
    sender.request(2)
    sender.outbound.cancel_request(2, 0.0)
    assert sender.write() == []
    assert sender.outbound.bulk_buffered == 0
    assert sender.open() == []
    frames = sender.write_all()
    assert frames[0][:5] == (REQUEST, 0, 0, 1, 2000)
    assert thrown(frames) == [b"a.", b"b."]
    assert 2 not in idents(frames)
    assert sender.outbound.buffered == sender.outbound.bulk_buffered == 0


def test_what_is_too_big_for_the_side_that_was_found_is_refused() -> None:
    sender = Sender(opened=False, peer=replace(LIMITS, max_message=4 * KIB))
    sender.request(1, 4 * KIB + 1)
    sender.throw(bytes(4 * KIB + 1))
    sender.throw(large("a", 4 * KIB))
    assert [(m.kind, m.ident) for m in sender.open()] == [(REQUEST, 1), (THROW, 0)]
    assert thrown(sender.write_all()) == [b"a."]


def test_at_the_end_of_a_session_it_gives_back_what_is_not_acknowledged() -> None:
    sender = Sender()
    sender.request(1)
    sender.request(2)
    sender.throw(small("a"))
    sender.throw(large("b"))
    sender.request(3, 2000)
    for _ in range(5):
        sender.write()
        sender.outbound.acknowledge(1, 0, 0, 0.0)
        # As if the bytes of large messages in flight were no obstacle.
        sender.outbound._replay.bulk = 0
    sender.outbound.reply(RESULT, 9, 0, b"answers are not given back")
    sender.request(4)
    sender.outbound.cancel_request(1, 0.0)
    written, unwritten = sender.outbound.take_back()
    assert [(m.kind, m.ident, m.body[:2]) for m in written] == [
        (REQUEST, 2, bytes(2)),
        (THROW, 0, b"a."),
        (REQUEST, 3, bytes(2)),
        (THROW, 0, b"b."),
    ]
    assert [len(m.body) for m in written] == [10, 100, 2000, 3 * CHUNK]
    assert [(m.kind, m.ident) for m in unwritten] == [(REQUEST, 4)]
    assert sender.flushed()
    assert sender.outbound.buffered == sender.outbound.bulk_buffered == 0


def test_a_large_message_that_was_wholly_acknowledged_is_not_given_back() -> None:
    sender = Sender()
    sender.request(1, 2000)
    sender.write_all()
    sender.request(2, 2000)
    sender.write()
    sender.write()
    assert [m.ident for m in sender.outbound.take_back()[0]] == [2]


def test_what_was_written_in_part_counts_as_not_written() -> None:
    sender = Sender()
    sender.request(1, 5 * CHUNK)
    sender.throw(large("a"))
    sender.write()
    sender.write()
    written, unwritten = sender.outbound.take_back()
    assert written == []
    assert [(m.kind, len(m.body)) for m in unwritten] == [(REQUEST, 5 * CHUNK), (THROW, 3 * CHUNK)]


def test_throws_are_given_back_in_their_order() -> None:
    sender = Sender()
    sender.fill()
    for name in "abcdef":
        sender.throw(large(name) if name in "be" else small(name))
    written, unwritten = sender.outbound.take_back()
    assert written == []
    assert [m.body[:1] for m in unwritten] == [b"a", b"b", b"c", b"d", b"e", b"f"]


def test_what_was_given_back_can_be_restored_even_if_there_is_no_room() -> None:
    sender = Sender(replace(LIMITS, outbox=1))
    sender.request(1)
    sender.write()
    written, _ = sender.outbound.take_back()
    sender.throw(small("a"))
    assert not sender.request(2)
    for message in written:
        sender.outbound.queue(*message, 0.0)
    sender.open()
    assert idents(sender.write_all()) == [0, 1]


def test_answers_that_cannot_go_out_congest_it_and_waiting_requests_do_not() -> None:
    waiting = Sender(replace(LIMITS, outbox=WINDOW))
    waiting.fill()
    ident = 1
    while waiting.request(ident, CHUNK):
        ident += 1
    assert waiting.outbound.buffered >= WINDOW
    assert not waiting.outbound.congested
    large = Sender(LIMITS)
    congested = []
    for ident in (1, 2):
        large.outbound.reply(RESULT, ident, 0, bytes(20 * CHUNK))
        congested.append(large.outbound.congested)
    assert congested == [False, True]
    many = Sender(replace(LIMITS, outbox=2 * KIB))
    for ident in range(3):
        many.outbound.reply(RESULT, ident, 0, bytes(CHUNK))
    assert many.outbound.congested
