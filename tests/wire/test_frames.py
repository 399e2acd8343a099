from __future__ import annotations

import pytest

from communica_like.exceptions import RemoteProtocolError
from communica_like.wire.frames import (
    ABANDON,
    ACK,
    ACK_BODY,
    CANCEL,
    CHALLENGE,
    CONTINUE,
    ERROR,
    GOODBYE,
    HEADER,
    HEADER_SIZE,
    HELLO,
    LAST_SEQUENCED,
    MORE,
    MORE_PREFIX,
    PING,
    PROOF,
    REJECT,
    REQUEST,
    RESULT,
    THROW,
    WELCOME,
    control,
    split_frames,
)


def test_the_header_has_20_bytes_and_big_endian_fields() -> None:
    assert HEADER_SIZE == 20
    assert HEADER.pack(0x01020304, 5, 6, 0x0708, 0x090A0B0C0D0E0F10, 0x11121314) == bytes(
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    )
    assert MORE_PREFIX.size == 12
    assert ACK_BODY.size == 16


def test_kinds_have_numbers_of_their_own_by_group() -> None:
    sequenced = {REQUEST, THROW, RESULT, ERROR, CANCEL, CONTINUE, ABANDON}
    of_one_link = {ACK, PING, GOODBYE}
    greetings = {HELLO, CHALLENGE, PROOF, WELCOME, REJECT}
    assert len(sequenced) == 7
    assert max(sequenced) <= LAST_SEQUENCED < min(of_one_link)
    assert max(of_one_link) < 32 <= min(greetings)
    assert len(greetings) == 5


def test_a_control_frame_has_neither_route_nor_flags() -> None:
    frame = control(GOODBYE, b"bye", ident=7, arg=9)
    assert HEADER.unpack_from(frame) == (3, GOODBYE, 0, 0, 7, 9)
    assert frame[HEADER_SIZE:] == b"bye"
    assert control(PING) == HEADER.pack(0, PING, 0, 0, 0, 0)


def test_joined_frames_are_split_again() -> None:
    data = HEADER.pack(5, REQUEST, 0, 2, 3, 4) + b"rtabc" + HEADER.pack(0, CONTINUE, MORE, 0, 1, 0)
    assert split_frames(data) == [(REQUEST, 0, 2, 3, 4, b"rtabc"), (CONTINUE, MORE, 0, 1, 0, b"")]
    assert split_frames(b"") == []


@pytest.mark.parametrize("size", [1, HEADER_SIZE - 1, HEADER_SIZE, HEADER_SIZE + 2])
def test_frames_that_are_cut_short_do_not_split(size: int) -> None:
    whole = control(PING)
    with pytest.raises(RemoteProtocolError, match="cut short"):
        split_frames(whole + control(RESULT, b"abc")[:size])
