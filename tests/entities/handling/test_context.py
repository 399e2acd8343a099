from __future__ import annotations

import pytest

from communica_like import Context, PeerIdentity
from communica_like.entities.handling.context import deadline_after, inherited_deadline

PEER = PeerIdentity("test", "there")


def test_what_remains() -> None:
    now = 10.0
    assert Context("r", "c", PEER, 12.5, lambda: now).remaining == 2.5
    assert Context("r", "c", PEER, 9.0, lambda: now).remaining == 0.0
    assert Context("r", "c", PEER, None, lambda: now).remaining is None


def test_the_clock_is_no_part_of_the_value() -> None:
    assert Context("r", "c", PEER, None) == Context("r", "c", PEER, None, lambda: 1.0)
    assert "clock" not in repr(Context("r", "c", PEER, None))


def test_a_deadline_is_the_earlier_of_the_timeout_and_the_inherited_one() -> None:
    def deadlines() -> list[float | None]:
        return [deadline_after(timeout, 10.0) for timeout in (None, float("inf"), 2.0, 5.0, 0.0)]

    assert deadlines() == [None, None, 12.0, 15.0, 10.0]
    token = inherited_deadline.set(13.0)
    try:
        assert deadlines() == [13.0, 13.0, 12.0, 13.0, 10.0]
    finally:
        inherited_deadline.reset(token)


def test_a_timeout_is_a_number() -> None:
    with pytest.raises(ValueError, match="not nan"):
        deadline_after(float("nan"), 10.0)
