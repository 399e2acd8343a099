from __future__ import annotations

import pytest

from communica_like.exceptions import LocalProtocolError
from communica_like.session.transitions import State, Step, after

ALLOWED = {
    (State.NEW, Step.ESTABLISH): State.LIVE,
    (State.LIVE, Step.LOSE_LINK): State.SUSPENDED,
    (State.SUSPENDED, Step.RESUME): State.LIVE,
    (State.NEW, Step.END): State.NEW,
    (State.LIVE, Step.END): State.NEW,
    (State.SUSPENDED, Step.END): State.NEW,
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_a_step_leads_to_its_state_or_is_refused(state: State, step: Step) -> None:
    if (state, step) in ALLOWED:
        assert after(state, step) is ALLOWED[state, step]
    else:
        with pytest.raises(LocalProtocolError, match=f"a session that is {state.value} cannot {step.value}"):
            after(state, step)
