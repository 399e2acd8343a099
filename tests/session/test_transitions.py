from __future__ import annotations

from typing import get_args

import pytest

from communica_like.exceptions import LocalProtocolError
from communica_like.session.transitions import State, Step, after

ALLOWED: dict[tuple[State, Step], State] = {
    (State.NEW, "establish"): State.LIVE,
    (State.LIVE, "lose_link"): State.SUSPENDED,
    (State.SUSPENDED, "resume"): State.LIVE,
    (State.NEW, "end"): State.NEW,
    (State.LIVE, "end"): State.NEW,
    (State.SUSPENDED, "end"): State.NEW,
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", get_args(Step))
def test_a_step_leads_to_its_state_or_is_refused(state: State, step: Step) -> None:
    if (state, step) in ALLOWED:
        assert after(state, step) is ALLOWED[state, step]
    else:
        with pytest.raises(LocalProtocolError, match=f"a session that is {state.value} cannot {step}"):
            after(state, step)
