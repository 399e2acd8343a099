"""Large messages go out in pieces between small ones, and throws keep their order all the same."""

from __future__ import annotations

from dataclasses import replace

from communica_like.wire.frames import CONTINUE, MORE, REQUEST, RESULT, split_frames
from tests.session.sender import CHUNK, FILLERS, LIMITS, WINDOW, Sender, idents, large, small, thrown

# -- large messages


def test_small_messages_overtake_large_ones() -> None:
    sender = Sender()
    sender.request(1, 3 * CHUNK)
    assert [frame[:5] for frame in sender.write()] == [(REQUEST, MORE, 0, 1, 0)]
    sender.request(2)
    assert sender.more_to_send()
    assert [frame[:5] for frame in sender.write()] == [(REQUEST, 0, 0, 2, 0), (CONTINUE, MORE, 0, 1, 0)]


def test_large_messages_are_buffered_until_they_are_in_frames() -> None:
    sender = Sender()
    sender.request(1, 3 * CHUNK)
    sender.throw(large("a", 2 * CHUNK))
    sender.outbound.reply(RESULT, 9, 0, bytes(4 * CHUNK))
    assert sender.outbound.bulk_buffered == 9 * CHUNK
    assert sender.outbound.bulk.reply_size == 4 * CHUNK
    assert sender.outbound.buffered == 0
    sender.write_all()
    assert sender.outbound.bulk_buffered == 0
    assert sender.outbound.bulk.reply_size == 0
    assert sender.flushed()


def test_only_so_many_bytes_of_large_messages_are_under_way() -> None:
    sender = Sender()
    sender.request(1, 10 * CHUNK)
    for _ in range(4):
        assert len(sender.write()) == 1
    assert not sender.more_to_send()
    assert sender.write() == []
    sender.ack()
    assert sender.more_to_send()
    assert len(sender.write()) == 1


def test_the_other_side_acknowledges_before_all_that_may_be_under_way_is() -> None:
    sender = Sender(replace(LIMITS, bulk_in_flight=1))
    sender.request(1, 10 * CHUNK)
    under_way = 0
    while sender.more_to_send():
        assert len(sender.write()) == 1
        under_way += CHUNK
    assert under_way >= 2 * LIMITS.ack_size


def test_the_budget_of_a_large_request_is_what_is_left_when_it_starts() -> None:
    sender = Sender()
    sender.outbound.message(REQUEST, 1, 10.0, b"", bytes(2000), 1.0)
    ((_, _, _, _, arg, _),) = split_frames(sender.outbound.data_to_send(4.0))
    assert arg == 6000


# -- throws in order


def test_throws_keep_their_order_whatever_their_size() -> None:
    sender = Sender()
    names = "abcdefgh"
    for index, name in enumerate(names):
        assert sender.throw(large(name) if index % 3 == 1 else small(name))
    assert thrown(sender.write_all()) == [name.encode() + b"." for name in names]
    assert sender.flushed()
    assert sender.outbound.buffered == sender.outbound.bulk_buffered == 0


def test_small_requests_pass_a_large_throw() -> None:
    sender = Sender()
    sender.throw(large("a"))
    sender.throw(small("b"))
    sender.request(1)
    assert idents(sender.write()) == [1, 0]


def test_a_large_throw_waits_for_small_ones_that_wait_for_credit() -> None:
    sender = Sender()
    sender.fill()
    sender.throw(small("a"))
    sender.throw(large("b"))
    sender.request(1, 2000)
    sender.throw(small("c"))
    frames = sender.write_all()
    assert idents(frames)[0] == 1
    assert thrown(frames) == []
    sender.ack(2 * WINDOW)
    assert thrown(sender.write_all()) == [b"a.", b"b.", b"c."]


def test_throws_behind_a_large_one_wait_for_credit_in_their_order() -> None:
    sender = Sender()
    sender.throw(large("a"))
    sender.throw(small("b"))
    sender.throw(large("c"))
    sender.throw(small("d"))
    sender.fill()
    # The first is out; the next lacks credit; the one after that has credit, and must not pass it.
    assert sender.write_all() == []
    sender.ack(2 * WINDOW)
    assert thrown(sender.write_all()) == [b"b.", b"c.", b"d."]
    assert sender.flushed()
    assert sender.outbound.buffered == sender.outbound.bulk_buffered == 0


def test_throws_behind_a_large_one_queue_up_behind_messages_that_wait() -> None:
    sender = Sender()
    sender.throw(large("a"))
    sender.throw(small("b"))
    for ident in range(1, FILLERS + 3):
        sender.request(ident, CHUNK)
    assert thrown(sender.write_all()) == [b"a."]
    sender.ack(2 * WINDOW)
    frames = sender.write_all()
    assert idents(frames) == [FILLERS + 1, FILLERS + 2, 0]
