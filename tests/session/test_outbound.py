from __future__ import annotations

from dataclasses import replace

import pytest

from communica_like.exceptions import MessageTooBig, RemoteProtocolError
from communica_like.session.outbound import budget
from communica_like.wire.frames import ERROR, HEADER_SIZE, REQUEST, RESULT, THROW
from communica_like.wire.limits import MESSAGE_COST
from tests.session.sender import CHUNK, FILLERS, KIB, LIMITS, WINDOW, Sender, idents, large, small

# -- small messages


def test_small_messages_go_out_in_one_write_in_their_order() -> None:
    sender = Sender()
    assert sender.request(1, route=b"route", deadline=1.5)
    assert sender.throw(b"thrown", b"rt")
    assert sender.request(2, size=0)
    sender.outbound.reply(RESULT, 3, 0, b"yes")
    sender.outbound.reply(ERROR, 4, 2, b"no")
    assert sender.write() == [
        (REQUEST, 0, 5, 1, 1500, b"route" + bytes(10)),
        (THROW, 0, 2, 0, 0, b"rtthrown"),
        (REQUEST, 0, 0, 2, 0, b""),
        (RESULT, 0, 0, 3, 0, b"yes"),
        (ERROR, 0, 0, 4, 2, b"no"),
    ]
    assert sender.write() == []


def test_the_budget_is_at_least_one_millisecond_and_fits_its_field() -> None:
    assert budget(10.0, 9.9) == 100
    assert budget(10.0, 11.0) == 1
    assert budget(1e9, 0.0) == 0xFFFFFFFF


def test_what_is_buffered_is_what_is_not_acknowledged() -> None:
    sender = Sender()
    assert sender.flushed()
    sender.request(1, 10, route=b"route")
    sender.outbound.reply(RESULT, 1, 0, b"yes")
    size = 10 + 5 + 3 + 2 * HEADER_SIZE
    assert (sender.outbound.buffered, sender.unsent()) == (size, size)
    assert not sender.flushed()
    sender.write()
    assert (sender.outbound.buffered, sender.unsent()) == (size, 0)
    assert not sender.flushed()
    sender.ack()
    assert sender.outbound.buffered == 0
    assert sender.flushed()


def test_without_credit_messages_wait_and_answers_do_not() -> None:
    sender = Sender()
    sender.fill()
    sender.request(1, 1000)
    sender.throw(small("t"))
    sender.request(2)
    sender.outbound.reply(RESULT, 3, 0, bytes(CHUNK))
    assert idents(sender.write_all()) == [3]
    assert sender.outbound.buffered > 0
    assert sender.unsent() == 0
    # Enough for the second, but nobody overtakes the first.
    sender.ack(WINDOW + 100)
    assert sender.write() == []
    sender.ack(2 * WINDOW)
    assert idents(sender.write_all()) == [1, 0, 2]
    assert sender.flushed()
    assert sender.outbound.buffered == 0


def test_the_credit_that_is_used_is_the_cost_of_all_messages() -> None:
    sender = Sender()
    for ident in range(1000):
        sender.request(ident + 1, 100, route=b"route")
    sent = sender.write_all()
    assert len(sent) == WINDOW // (105 + MESSAGE_COST)


def test_credit_never_shrinks() -> None:
    sender = Sender()
    sender.ack(WINDOW - 1)
    sender.ack(WINDOW + 2 * MESSAGE_COST)
    sender.ack(5)
    sender.fill()
    assert sender.request(1, 1)
    assert idents(sender.write_all()) == [1]


def test_nothing_is_written_while_too_much_is_not_acknowledged() -> None:
    sender = Sender()
    for ident in range(1, 10):
        sender.request(ident, CHUNK)
    assert len(sender.write()) == 9
    sender.request(10)
    sender.throw(large("a"))
    assert sender.write() == []
    assert not sender.more_to_send()
    sender.ack()
    assert idents(sender.write()) == [10, 0]


def test_an_impossible_acknowledgement_is_refused_and_changes_nothing() -> None:
    sender = Sender()
    sender.fill()
    sender.request(1)
    with pytest.raises(RemoteProtocolError, match="acknowledged"):
        sender.outbound.acknowledge(sender.count + 1, 1 << 40, 1 << 40, 0.0)
    assert sender.write() == []


# -- room


def test_a_full_outbox_takes_no_more() -> None:
    sender = Sender(opened=False)
    taken = 0
    while sender.request(taken + 1, CHUNK):
        taken += 1
    assert LIMITS.outbox <= sender.outbound.buffered <= LIMITS.outbox + 2 * CHUNK
    assert not sender.throw(b"")
    sender.open()
    sender.write_all()
    assert sender.throw(b"")


def test_an_outbox_below_the_window_counts_all_the_same() -> None:
    sender = Sender(replace(LIMITS, outbox=5000))
    taken = 0
    while sender.request(taken + 1, 980):
        taken += 1
    assert taken == 5
    sender.write_all()
    assert sender.request(9)
    sender.ack(1 << 20)
    sender.write_all()
    for _ in range(5):
        assert sender.request(9, 980)
    assert not sender.request(9, 980)


def test_a_producer_that_is_much_too_fast_waits_as_soon_as_credit_is_used_up() -> None:
    sender = Sender(replace(LIMITS, outbox=4 << 20))
    burst = 0
    while sender.request(burst + 1, CHUNK):
        burst += 1
    assert burst > 5 * FILLERS
    assert 1 << 20 < sender.outbound.buffered < 2 << 20
    sender.write_all()
    # Nothing is delivered without credit, so there is no room for a further burst.
    sender.outbound.calm_down()
    assert not sender.request(1)
    sender.ack((burst + FILLERS) * 2 * CHUNK)
    sender.write_all()
    again = 0
    while sender.request(again + 1, CHUNK):
        again += 1
    assert again == FILLERS + 1
    # When all is delivered, it may be hasty again.
    credit = (burst + 2 * FILLERS + 1) * 2 * CHUNK
    sender.ack(credit)
    sender.write_all()
    assert sender.flushed()
    sender.outbound.calm_down()
    again = 0
    while sender.request(again + 1, CHUNK):
        again += 1
    assert again * CHUNK > 1 << 19


def test_throws_behind_a_large_one_do_not_pile_up_whatever_the_pace() -> None:
    for hasty in (True, False):
        sender = Sender(replace(LIMITS, outbox=2 << 20))
        if not hasty:
            while sender.request(1, CHUNK):
                pass
            sender.ack(1 << 30)
            sender.write_all()
        sender.throw(large("a"))
        taken = 0
        while taken < 50_000 and sender.throw(small("b")):
            taken += 1
        assert taken < 50_000
        assert sender.outbound.buffered <= (2 << 20) + CHUNK


def test_large_messages_have_room_of_their_own_with_room_for_one_always() -> None:
    sender = Sender()
    assert sender.request(1, 32 * KIB)
    assert not sender.request(2, 2 * KIB)
    assert sender.request(3, CHUNK)
    sender.write_all()
    assert sender.request(2, 2 * KIB)
    assert sender.request(4, 30 * KIB)
    assert not sender.request(5, CHUNK + 1)


def test_a_message_that_can_never_be_sent_is_refused() -> None:
    sender = Sender(peer=replace(LIMITS, max_message=8 * KIB))
    assert sender.request(1, 8 * KIB)
    with pytest.raises(MessageTooBig, match="8193 bytes; at most 8192 are allowed"):
        sender.request(2, 8 * KIB + 1)
    sender = Sender(replace(LIMITS, max_message=9 * KIB))
    with pytest.raises(MessageTooBig, match="at most 9216"):
        sender.throw(bytes(9 * KIB + 1))


@pytest.mark.parametrize("size", [0, CHUNK, CHUNK + 1])
def test_an_answer_goes_out_like_a_reply(size: int) -> None:
    sender, other = Sender(), Sender()
    sender.outbound.answer(1, bytes(size))
    other.outbound.reply(RESULT, 1, 0, bytes(size))
    assert sender.outbound.buffered == other.outbound.buffered
    assert sender.outbound.bulk_buffered == other.outbound.bulk_buffered
    frames = sender.write_all()
    assert frames == other.write_all() != []
    assert sender.flushed()
    assert sender.outbound.buffered == sender.outbound.bulk_buffered == 0
