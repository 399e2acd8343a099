from __future__ import annotations

from communica_like.session import events
from communica_like.wire import frames


def test_events_for_frames_have_the_number_of_their_frame() -> None:
    for name in ("REQUEST", "THROW", "RESULT", "ERROR", "CANCEL", "GOODBYE"):
        assert getattr(events, name) == getattr(frames, name)


def test_no_two_kinds_of_events_and_no_event_and_frame_share_a_number() -> None:
    kinds = [getattr(events, name) for name in vars(events) if name.isupper()]
    assert len(set(kinds)) == len(kinds) == 11
    own = [getattr(events, name) for name in ("TIMED_OUT", "LINK_DEAD", "EXPIRED", "BROKEN", "DROPPED")]
    assert min(own) > frames.REJECT
