from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.exceptions import RemoteProtocolError
from communica_like.session.replay import ReplayBuffer
from communica_like.wire.frames import RESULT, control


def frame(number: int) -> bytes:
    return control(RESULT, bytes(number % 7), number)


def test_an_empty_buffer_has_nothing_to_send_again() -> None:
    replay = ReplayBuffer()
    assert replay.unacknowledged() == b""
    assert replay.acknowledge(0) == 0
    assert (replay.size, replay.bulk, replay.sent, replay.acknowledged) == (0, 0, 0, 0)


def test_bytes_are_kept_until_all_frames_of_their_write_are_acknowledged() -> None:
    replay = ReplayBuffer()
    first, second = frame(1) + frame(2) + frame(3), frame(4)
    replay.add(3, first, bulk=21)
    replay.add(4, second, bulk=0)
    assert replay.size == len(first + second)
    assert replay.bulk == 21
    assert replay.acknowledge(2) == 0
    assert replay.size == len(first + second)
    assert replay.acknowledge(3) == len(first)
    assert (replay.size, replay.bulk) == (len(second), 0)
    assert replay.acknowledge(4) == len(second)
    assert replay.size == 0


@pytest.mark.parametrize("count", [1, 5, 1 << 63])
def test_an_impossible_acknowledgement_changes_nothing(count: int) -> None:
    replay = ReplayBuffer()
    replay.add(4, b"".join(map(frame, range(1, 5))), 0)
    replay.acknowledge(2)
    with pytest.raises(RemoteProtocolError, match=f"frame {count} acknowledged; 4 were sent and 2 ack"):
        replay.acknowledge(count)
    assert replay.acknowledged == 2
    assert replay.unacknowledged() == frame(3) + frame(4)


@given(st.lists(st.integers(1, 5), max_size=6), st.data())
def test_what_is_sent_again_is_exactly_what_is_not_acknowledged(
    writes: list[int], data: st.DataObject
) -> None:
    replay = ReplayBuffer()
    sent = 0
    for frames in writes:
        replay.add(sent + frames, b"".join(map(frame, range(sent + 1, sent + frames + 1))), 0)
        sent += frames
    count = 0
    for _ in range(3):
        count = data.draw(st.integers(count, sent))
        replay.acknowledge(count)
        assert replay.unacknowledged() == b"".join(map(frame, range(count + 1, sent + 1)))
