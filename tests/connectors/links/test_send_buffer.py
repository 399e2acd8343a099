"""The buffer of what a link could not send yet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from communica_like.connectors.links.send_buffer import SendBuffer

STEPS = st.one_of(
    st.tuples(st.just("append"), st.binary(min_size=1, max_size=30)),
    st.tuples(st.sampled_from(["take", "put back", "discard", "first"]), st.integers(1, 40)),
)


def content(buffer: SendBuffer) -> bytes:
    return b"".join(buffer.first(10**6))


@given(st.lists(STEPS, max_size=60))
def test_bytes_leave_in_order_whatever_the_sizes(steps: list[tuple[str, bytes | int]]) -> None:
    buffer = SendBuffer()
    expected = b""
    for kind, value in steps:
        if isinstance(value, bytes):
            buffer.append(value)
            expected += value
        elif kind == "take":
            assert buffer.take(value) == expected[:value]
            expected = expected[value:]
        elif kind == "put back" and expected:
            buffer.put_back(buffer.take(value))
        elif kind == "discard":
            size = min(value, len(expected))
            buffer.discard(size)
            expected = expected[size:]
        elif kind == "first":
            assert len(buffer.first(value)) <= value
            assert expected.startswith(b"".join(buffer.first(value)))
        assert content(buffer) == expected
        assert buffer.size == len(expected)
        assert bool(buffer) == bool(expected)
    buffer.clear()
    assert not buffer
    assert buffer.size == 0
    assert buffer.take(1) == b""


def test_a_piece_is_taken_without_a_copy() -> None:
    buffer = SendBuffer()
    data = b"0123456789"
    buffer.append(data)
    taken = buffer.take(4)
    assert isinstance(taken, memoryview)
    assert taken.obj is data
    (rest,) = buffer.first(2)
    assert rest.obj is data


def test_full_and_drained_leave_room_between_them() -> None:
    buffer = SendBuffer()
    levels = [(buffer.full, buffer.drained)]
    for size in (64 * 1024, 1):
        buffer.append(bytes(size))
        levels.append((buffer.full, buffer.drained))
    for size in (1, 48 * 1024 - 1, 1):
        buffer.discard(size)
        levels.append((buffer.full, buffer.drained))
    assert levels == [
        (False, True), (False, False), (True, False), (False, False), (False, False), (False, True),
    ]  # fmt: skip
