from __future__ import annotations

from dataclasses import replace

import pytest

from communica_like.exceptions import MessageTooBig, RemoteProtocolError
from communica_like.session.outbound import Outbound, budget
from communica_like.session.waiting import Message
from communica_like.wire.frames import (
    ABANDON,
    CANCEL,
    CONTINUE,
    ERROR,
    HEADER_SIZE,
    MORE,
    REQUEST,
    RESULT,
    THROW,
    split_frames,
)
from communica_like.wire.limits import MESSAGE_COST, Limits

KIB = 1024
CHUNK = KIB
WINDOW = 70 * KIB
LIMITS = Limits(
    max_message=32 * KIB, window=WINDOW, replay=8 * KIB, chunk=CHUNK, outbox=512 * KIB, bulk_in_flight=4 * KIB
)
FILLERS = WINDOW // (CHUNK + MESSAGE_COST)
"""So many fillers use up the small credit."""


class Sender:
    """An open Outbound, and what it writes."""

    def __init__(self, limits: Limits = LIMITS, peer: Limits = LIMITS, *, opened: bool = True) -> None:
        self.outbound = Outbound(limits)
        self.peer = peer
        self.count = 0
        self.large_sent = 0
        if opened:
            self.open()

    def open(self) -> list[Message]:
        self.count = 0
        return self.outbound.open(self.peer, min(LIMITS.chunk, self.peer.chunk), 0.0)

    def request(self, ident: int, size: int = 10, deadline: float | None = None, route: bytes = b"") -> bool:
        return self.outbound.message(REQUEST, ident, deadline, route, bytes(size), 0.0)

    def throw(self, body: bytes, route: bytes = b"") -> bool:
        return self.outbound.message(THROW, 0, None, route, body, 0.0)

    def unsent(self) -> int:
        """Return how many bytes wait to be written."""
        return sum(map(len, self.outbound.frames))

    def flushed(self) -> bool:
        return self.outbound.flushed

    def more_to_send(self) -> bool:
        return self.outbound.more_to_send

    def fill(self) -> None:
        """Use up the small credit, with frames that are written and acknowledged."""
        for ident in range(1000, 1000 + FILLERS):
            assert self.request(ident, CHUNK)
        self.write_all()

    def write(self) -> list[tuple[int, int, int, int, int, bytes]]:
        """Return the frames of one write."""
        frames = split_frames(self.outbound.data_to_send(0.0))
        self.count += len(frames)
        return frames

    def write_all(self) -> list[tuple[int, int, int, int, int, bytes]]:
        """Return the frames of all writes, each of which is acknowledged."""
        frames = []
        while found := self.write():
            frames += found
            self.ack()
        return frames

    def ack(self, credit: int = 0, bulk_credit: int = 0) -> None:
        self.outbound.acknowledge(self.count, credit, bulk_credit, 0.0)


def idents(frames: list[tuple[int, int, int, int, int, bytes]]) -> list[int]:
    return [frame[3] for frame in frames]


def thrown(frames: list[tuple[int, int, int, int, int, bytes]]) -> list[bytes]:
    """Return the first bytes of throws, in the order in which their last frames are."""
    order = []
    large: dict[int, bytes] = {}
    for kind, flags, route_size, ident, _, payload in frames:
        if kind == THROW and not flags:
            order.append(payload[route_size : route_size + 2])
        elif kind == THROW:
            large[int.from_bytes(payload[:4], "big")] = payload[12 + route_size : 14 + route_size]
        elif kind == CONTINUE and not flags and ident in large:
            order.append(large.pop(ident))
    assert not large
    return order


def small(name: str) -> bytes:
    return name.encode().ljust(100, b".")


def large(name: str, size: int = 3 * CHUNK) -> bytes:
    return name.encode().ljust(size, b".")


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
        sender.outbound.restore(message, 0.0)
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
