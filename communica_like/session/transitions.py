"""The states of a session, as a table. It is the same for clients and servers.

::

    NEW ──establish──► LIVE ──lose_link──► SUSPENDED ──resume──► LIVE
                        │                      │
                        └────────end───────────┴──► NEW (ready for a next session)

Messages wait in the outbox while a session is NEW or SUSPENDED.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from ..exceptions import LocalProtocolError


class State(Enum):
    """The state of a session."""

    NEW = "new"
    LIVE = "live"
    SUSPENDED = "suspended"


class Step(Enum):
    """A step that changes the state."""

    ESTABLISH = "establish"
    RESUME = "resume"
    LOSE_LINK = "lose_link"
    END = "end"


_TABLE: Final = {
    (State.NEW, Step.ESTABLISH): State.LIVE,
    (State.NEW, Step.END): State.NEW,
    (State.LIVE, Step.LOSE_LINK): State.SUSPENDED,
    (State.LIVE, Step.END): State.NEW,
    (State.SUSPENDED, Step.RESUME): State.LIVE,
    (State.SUSPENDED, Step.END): State.NEW,
}


def after(state: State, step: Step) -> State:
    """Return the state that follows *state* after *step*.

    Raises:
        LocalProtocolError: the step is not possible in this state.
    """
    try:
        return _TABLE[state, step]
    except KeyError:
        raise LocalProtocolError(f"a session that is {state.value} cannot {step.value}") from None
