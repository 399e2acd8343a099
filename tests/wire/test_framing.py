from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.exceptions import RemoteProtocolError
from communica_like.wire.frames import GOODBYE, HEADER, HELLO, PING, REJECT, control
from communica_like.wire.framing import FrameReader


def test_a_frame_is_given_when_its_last_byte_is_there() -> None:
    reader = FrameReader(100)
    frame = control(REJECT, b"because", arg=3)
    for byte in frame[:-1]:
        reader.feed(bytes([byte]))
        assert reader.next_frame() is None
    reader.feed(frame[-1:])
    assert reader.next_frame() == (REJECT, 3, b"because")
    assert reader.next_frame() is None
    assert reader.rest() == b""


@given(st.lists(st.tuples(st.sampled_from([HELLO, PING, GOODBYE]), st.binary(max_size=30))), st.data())
def test_frames_come_out_as_they_went_in_wherever_the_stream_is_cut(
    frames: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(control(kind, body, arg=len(body)) for kind, body in frames)
    reader = FrameReader(30)
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        reader.feed(stream[:size])
        stream = stream[size:]
        while (frame := reader.next_frame()) is not None:
            found.append(frame)
    assert found == [(kind, len(body), body) for kind, body in frames]


def test_bytes_after_the_last_frame_are_handed_over_once() -> None:
    reader = FrameReader(10)
    reader.feed(control(PING) + b"the rest")
    assert reader.next_frame() == (PING, 0, b"")
    assert reader.rest() == b"the rest"
    assert reader.rest() == b""


def test_a_payload_of_the_limit_passes_and_a_longer_one_is_refused_by_its_header() -> None:
    reader = FrameReader(10)
    reader.feed(control(PING, bytes(10)))
    assert reader.next_frame() == (PING, 0, bytes(10))
    reader.feed(HEADER.pack(11, PING, 0, 0, 0, 0))
    with pytest.raises(RemoteProtocolError, match=r"not speak this protocol: .* a frame of 11 bytes"):
        reader.next_frame()


def test_a_foreign_protocol_is_quoted_in_the_complaint() -> None:
    reader = FrameReader(4096)
    reader.feed(b"GET / HTTP/1.1\r\nHost: x\r\n")
    with pytest.raises(RemoteProtocolError, match=r"GET / HTTP/1\.1"):
        reader.next_frame()
