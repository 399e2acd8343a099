"""Bytes -> messages."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.session.bulk import MAX_STREAMS
from communica_like.session.events import Event
from communica_like.wire.failure import CLOSING
from communica_like.wire.frames import (
    ABANDON,
    ACK,
    CANCEL,
    CONTINUE,
    ERROR,
    HEADER,
    MORE,
    MORE_PREFIX,
    PING,
    REQUEST,
    RESULT,
    THROW,
    control,
)
from tests.session.receiver import CHUNK, KIB, WINDOW, Receiver, begin, frame, piece

# -- small messages


def test_requests_and_throws_come_out_with_route_and_body(receiver: Receiver) -> None:
    data = (
        frame(REQUEST, b"routebody", 7, 1500, route=5)
        + frame(REQUEST, b"body", 8)
        + frame(THROW, b"rt", route=2)
        + frame(THROW, b"thrown")
    )
    assert receiver.take(data) == [
        (REQUEST, 7, 1500, b"route", b"body"),
        (REQUEST, 8, 0, b"", b"body"),
        (THROW, 0, 0, b"rt", b""),
        (THROW, 0, 0, b"", b"thrown"),
    ]
    assert receiver.inbound.count == 4


def test_an_answer_takes_its_token_once() -> None:
    receiver = Receiver(1, 2)
    answers = frame(RESULT, b"yes", 1) + frame(ERROR, b"no", 2, 3)
    assert receiver.take(answers) == [(RESULT, "token 1", 0, b"", b"yes"), (ERROR, "token 2", 3, b"", b"no")]
    assert receiver.pending == {}
    assert receiver.take(answers) == []
    assert receiver.inbound.count == 4


def test_cancels_are_reported(receiver: Receiver) -> None:
    assert receiver.take(frame(CANCEL, b"", 9)) == [(CANCEL, 9, 0, b"", b"")]


def test_frames_that_are_no_messages_are_passed_on_and_not_counted(receiver: Receiver) -> None:
    assert receiver.take(control(PING) + control(ACK, b"x", 1, 2)) == []
    assert receiver.controls == [(PING, 0, 0, b""), (ACK, 1, 2, b"x")]
    assert receiver.inbound.count == 0


@given(st.sets(st.integers(1, 2700)))
def test_it_does_not_matter_where_the_stream_is_cut(cuts: set[int]) -> None:
    stream = b"".join(
        [
            frame(REQUEST, b"routebody", 7, route=5),
            begin(THROW, 2500, route=b"rt"),
            frame(THROW, b""),
            piece(CHUNK, more=True),
            frame(RESULT, b"yes", 1),
            piece(2500 - 2 * CHUNK),
        ]
    )
    whole = Receiver(1)
    expected = whole.take(stream)
    assert len(expected) == 4
    receiver = Receiver(1)
    found: list[Event] = []
    for start, end in pairwise([0, *sorted(cuts), len(stream)]):
        found += receiver.take(stream[start:end])
    assert found == expected
    assert receiver.inbound.count == whole.inbound.count == 6


def test_a_frame_cut_short_by_the_end_of_a_link_is_forgotten(receiver: Receiver) -> None:
    whole = frame(THROW, b"thrown")
    assert receiver.take(whole + whole[:-1]) != []
    receiver.inbound.link_lost()
    assert receiver.take(whole) == [(THROW, 0, 0, b"", b"thrown")]
    assert receiver.inbound.count == 2


# -- large messages


def test_a_large_message_is_reported_when_its_last_piece_is_there(receiver: Receiver) -> None:
    assert receiver.take(begin(REQUEST, 2500, ident=4, arg=2000, route=b"route"), now=10.0) == []
    assert receiver.take(piece(CHUNK, more=True), now=10.5) == []
    assert receiver.take(piece(2500 - 2 * CHUNK), now=11.0) == [(REQUEST, 4, 1000, b"route", bytes(2500))]
    assert receiver.inbound.count == 3


def test_large_messages_may_be_interleaved() -> None:
    receiver = Receiver(1, 2)
    data = (
        begin(RESULT, 1025, stream=5, ident=1)
        + begin(ERROR, 1026, stream=6, ident=2, arg=3)
        + begin(THROW, 1027, stream=7)
        + piece(2, stream=6)
        + piece(1, stream=5)
        + piece(3, stream=7)
    )
    assert receiver.take(data) == [
        (ERROR, "token 2", 3, b"", bytes(1026)),
        (RESULT, "token 1", 0, b"", bytes(1025)),
        (THROW, 0, 0, b"", bytes(1027)),
    ]


def test_a_large_answer_that_nobody_waits_for_is_dropped(receiver: Receiver) -> None:
    assert receiver.take(begin(RESULT, 1025, ident=9) + piece(1)) == []
    assert receiver.inbound.count == 2


def test_a_message_that_is_given_up_is_forgotten_and_its_credit_comes_back(receiver: Receiver) -> None:
    before = receiver.ack()
    assert receiver.take(begin(REQUEST, 5000) + begin(RESULT, 32 * KIB, stream=2)) == []
    assert receiver.take(frame(ABANDON, ident=1) + frame(ABANDON, ident=2)) == []
    assert receiver.due()
    assert receiver.ack() == (4, before[1], before[2] + 5000)
    # There is room for answers again, and the numbers are free.
    assert receiver.take(begin(RESULT, 32 * KIB) + begin(RESULT, 32 * KIB, stream=1)[:0]) == []


def test_so_many_streams_and_no_more(receiver: Receiver) -> None:
    for stream in range(MAX_STREAMS):
        receiver.take(begin(REQUEST, 1025, stream=stream))
    receiver.refuses(begin(REQUEST, 1025, stream=99), f"stream 99 begins while {MAX_STREAMS} are under way")


def test_a_session_begins_with_nothing_of_the_one_before(receiver: Receiver) -> None:
    receiver.take(begin(REQUEST, 32 * KIB) + frame(THROW)[:5])
    receiver.inbound.handled(5, 6)
    assert receiver.due()
    receiver.inbound.open(2 * KIB, 8 * KIB)
    assert receiver.inbound.count == 0
    assert not receiver.owed()
    assert receiver.ack() == (0, WINDOW, 32 * KIB)
    assert receiver.take(frame(THROW, bytes(2 * KIB))) != []
    receiver.refuses(piece(1), "has not begun")


# -- what is not allowed


@pytest.mark.parametrize(
    "kind, payload, route, flags",
    [
        (REQUEST, CHUNK + 9, 8, 0),
        (THROW, CHUNK + 1, 0, 0),
        (RESULT, CHUNK + 1, 0, 0),
        (RESULT, CHUNK + 1, 8, 0),
        (ERROR, CHUNK + 1, 0, 0),
        (REQUEST, CHUNK + MORE_PREFIX.size + 9, 8, MORE),
        (RESULT, CHUNK + MORE_PREFIX.size + 1, 0, MORE),
        (CONTINUE, CHUNK + 1, 0, 0),
        (CONTINUE, CHUNK + 1, 0, MORE),
        (PING, CHUNK + 1, 0, 0),
        (0, 0xFFFFFFFF, 0xFFFF, 0xFF),
    ],
)
def test_a_frame_beyond_the_chunk_size_is_refused_by_its_header(
    receiver: Receiver, kind: int, payload: int, route: int, flags: int
) -> None:
    header = HEADER.pack(payload, kind, flags, route, 0, 0)
    receiver.refuses(header, f"a frame of {payload} bytes, kind {kind}")


def test_the_largest_frames_pass() -> None:
    receiver = Receiver(1)
    receiver.take(frame(REQUEST, bytes(CHUNK + 8), route=8) + frame(RESULT, bytes(CHUNK), 1))
    receiver.take(begin(REQUEST, 3 * CHUNK, route=b"route") + piece(CHUNK, more=True) + piece(CHUNK))
    assert len(receiver.events) == 1


@pytest.mark.parametrize(
    "data, complaint",
    [
        (frame(REQUEST, b"body", route=5), "a route of 5 bytes in a frame of 4"),
        (frame(REQUEST, b"body", flags=2), "unknown flags 0x2 on a frame of kind 1"),
        (frame(PING, flags=0x80), "unknown flags 0x80"),
        (frame(0), "unknown frame kind 0"),
        (frame(8), "unknown frame kind 8"),
        (frame(15), "unknown frame kind 15"),
        (frame(CANCEL, flags=MORE), "a frame of kind 5 that goes on"),
        (frame(PING, flags=MORE), "a frame of kind 17 that goes on"),
        (frame(REQUEST, bytes(11), flags=MORE), "the first piece of a large message is empty"),
        (begin(REQUEST, 2000, piece=0), "the first piece of a large message is empty"),
        (frame(THROW, bytes(20), route=9, flags=MORE), "the first piece of a large message is empty"),
        (begin(THROW, 32 * KIB + 1), "a message of 32769 bytes; at most 32768 are accepted"),
        (begin(REQUEST, 1 << 63), "are accepted"),
        (begin(REQUEST, CHUNK, piece=1), "a message of 1024 bytes in pieces of up to 1024"),
        (begin(RESULT, 0, piece=1), "a message of 0 bytes in pieces"),
        (begin(RESULT, 3000, piece=100), "a piece of 100 bytes that is not the last"),
        (begin(REQUEST, 3000) + begin(THROW, 3000), "stream 1 begins while 1 are under way"),
        (piece(5, stream=3), "a piece of stream 3, which has not begun"),
        (begin(REQUEST, 1030) + piece(5), "a message of 1030 bytes whose pieces hold 1029"),
        (begin(REQUEST, 1030) + piece(6) + piece(1), "has not begun"),
        (frame(ABANDON, ident=4), "stream 4 is given up, but has not begun"),
    ],
)
def test_what_breaks_the_protocol_is_refused(receiver: Receiver, data: bytes, complaint: str) -> None:
    receiver.refuses(data, complaint)


def test_what_came_before_the_breach_is_reported(receiver: Receiver) -> None:
    receiver.refuses(frame(THROW, b"fine") + frame(0), "unknown frame kind")
    assert receiver.events == [(THROW, 0, 0, b"", b"fine")]


def test_repeatable_requests_that_a_closing_side_turns_away_stay_pending() -> None:
    receiver = Receiver(1, 2)
    receiver.repeatable.add(2)
    turned_away = frame(ERROR, b"", 1, CLOSING) + frame(ERROR, b"", 2, CLOSING)
    assert receiver.take(turned_away) == [(ERROR, "token 1", CLOSING, b"", b"")]
    assert receiver.pending == {2: "token 2"}
    assert receiver.inbound.count == 2
    # Other failures are answers.
    assert receiver.take(frame(ERROR, b"", 2, 1)) == [(ERROR, "token 2", 1, b"", b"")]
