from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.exceptions import RemoteProtocolError
from communica_like.wire.limits import MESSAGE_COST, Limits

KIB = 1024


@pytest.mark.parametrize(
    "name, low, high",
    [
        ("max_message", KIB, 1 << 40),
        ("replay", 4 * KIB, 1 << 40),
        ("heartbeat", 0.01, 86_400.0),
        ("resume_window", 0.0, 86_400.0),
        ("outbox", 1, 1 << 40),
        ("bulk_in_flight", 1, 1 << 40),
    ],
)
def test_each_limit_has_a_range(name: str, low: float, high: float) -> None:
    for value in (low, high):
        assert getattr(Limits(**{name: value}), name) == value  # type: ignore[arg-type]
    for value in (low - 0.001 if isinstance(low, float) else low - 1, high + 1):
        with pytest.raises(ValueError, match=f"{name} must be from"):
            Limits(**{name: value})  # type: ignore[arg-type]


def test_the_chunk_has_a_range() -> None:
    Limits(chunk=KIB)
    Limits(chunk=16 * KIB * KIB, window=20 * KIB * KIB)
    for value in (KIB - 1, 16 * KIB * KIB + 1):
        with pytest.raises(ValueError, match="chunk must be from"):
            Limits(chunk=value, window=1 << 30)


def test_the_window_holds_any_message_that_is_not_sent_in_pieces() -> None:
    enough = 8 * KIB + 0xFFFF + MESSAGE_COST
    Limits(chunk=8 * KIB, window=enough)
    with pytest.raises(ValueError, match=f"at least {enough}"):
        Limits(chunk=8 * KIB, window=enough - 1)
    with pytest.raises(ValueError, match="window must be from"):
        Limits(window=0)


def test_not_a_number_is_out_of_every_range() -> None:
    with pytest.raises(ValueError, match="heartbeat"):
        Limits(heartbeat=float("nan"))


@given(
    max_message=st.integers(KIB, 1 << 40),
    window=st.integers(1 << 20, 1 << 40),
    replay=st.integers(4 * KIB, 1 << 40),
    chunk=st.integers(KIB, 64 * KIB),
    heartbeat=st.integers(10, 86_400_000),
    resume_window=st.integers(0, 86_400_000),
)
def test_what_is_announced_arrives_in_36_bytes(
    max_message: int, window: int, replay: int, chunk: int, heartbeat: int, resume_window: int
) -> None:
    limits = Limits(max_message, window, replay, chunk, heartbeat / 1000, resume_window / 1000)
    data = limits.encode()
    assert len(data) == 36
    assert Limits.decode(data) == limits


def test_what_is_kept_to_oneself_is_not_announced() -> None:
    limits = Limits(outbox=1, bulk_in_flight=2)
    assert limits.encode() == Limits().encode()


def test_times_are_rounded_to_milliseconds() -> None:
    heard = Limits.decode(Limits(heartbeat=0.0123456, resume_window=0.0004).encode())
    assert heard.heartbeat == 0.012
    assert heard.resume_window == 0.0


@pytest.mark.parametrize("size", [0, 35, 37])
def test_limits_of_another_size_are_refused(size: int) -> None:
    with pytest.raises(RemoteProtocolError, match=f"limits of {size} bytes"):
        Limits.decode(bytes(size))


@pytest.mark.parametrize(
    "values",
    [
        (0, 1 << 20, 1 << 20, KIB, 5000, 0),
        (KIB, KIB, 1 << 20, KIB, 5000, 0),
        (KIB, 1 << 20, 0, KIB, 5000, 0),
        (KIB, 1 << 20, 1 << 20, 0, 5000, 0),
        (KIB, 1 << 20, 1 << 20, KIB, 0, 0),
        (KIB, 1 << 20, 1 << 20, KIB, 5000, 0xFFFFFFFF),
        (1 << 63, 1 << 20, 1 << 20, KIB, 5000, 0),
    ],
)
def test_impossible_limits_of_the_other_side_are_refused(values: tuple[int, ...]) -> None:
    with pytest.raises(RemoteProtocolError, match="impossible limits"):
        Limits.decode(Limits.WIRE.pack(*values))


def test_both_sides_agree_on_the_same_chunk_and_times() -> None:
    one = Limits(chunk=4 * KIB, heartbeat=3.0, resume_window=8.0, max_message=1 << 20)
    two = Limits(chunk=9 * KIB, heartbeat=2.0, resume_window=9.0, window=1 << 21)
    for mine, theirs in ((one, two), (two, one)):
        agreed = mine.agreed_with(theirs)
        assert (agreed.chunk, agreed.heartbeat, agreed.resume_window) == (4 * KIB, 2.0, 8.0)
        assert agreed == replace(mine, chunk=4 * KIB, heartbeat=2.0, resume_window=8.0)


def test_no_message_that_one_side_refuses_passes_as_a_small_one() -> None:
    tight, wide = Limits(max_message=2 * KIB), Limits()
    assert tight.agreed_with(wide).chunk == wide.agreed_with(tight).chunk == 2 * KIB


@pytest.mark.parametrize("replay, ack_size", [(8 * 1024, 2 * 1024), (1 << 30, 64 * 1024)])
def test_how_much_is_acknowledged_at_the_latest(replay: int, ack_size: int) -> None:
    assert Limits(replay=replay).ack_size == ack_size
