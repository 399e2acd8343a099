from __future__ import annotations

from communica_like import Context, PeerIdentity

PEER = PeerIdentity("test", "there")


def test_what_remains() -> None:
    now = 10.0
    assert Context("r", "c", PEER, 12.5, lambda: now).remaining == 2.5
    assert Context("r", "c", PEER, 9.0, lambda: now).remaining == 0.0
    assert Context("r", "c", PEER, None, lambda: now).remaining is None


def test_the_clock_is_no_part_of_the_value() -> None:
    assert Context("r", "c", PEER, None) == Context("r", "c", PEER, None, lambda: 1.0)
    assert "clock" not in repr(Context("r", "c", PEER, None))
