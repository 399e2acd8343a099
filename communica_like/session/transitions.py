"""The states of a session, as a table. It is the same for clients and servers.

::

    NEW ──establish──► LIVE ──lose_link──► SUSPENDED ──resume──► LIVE
                        │                      │
                        └────────end───────────┴──► NEW (ready for a next session)

Messages wait in the outbox while a session is NEW or SUSPENDED.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

from ..exceptions import LocalProtocolError


class State(Enum):
    """The state of a session."""

    NEW = "new"
    LIVE = "live"
    SUSPENDED = "suspended"


Step = Literal["establish", "resume", "lose_link", "end"]
"""What changes the state: a method of Session."""

_TABLE: Final[dict[tuple[State, Step], State]] = {
    (State.NEW, "establish"): State.LIVE,
    (State.NEW, "end"): State.NEW,
    (State.LIVE, "lose_link"): State.SUSPENDED,
    (State.LIVE, "end"): State.NEW,
    (State.SUSPENDED, "resume"): State.LIVE,
    (State.SUSPENDED, "end"): State.NEW,
}


def after(state: State, step: Step) -> State:
    """Return the state that follows *state* after *step*.

    Raises:
        LocalProtocolError: the step is not possible in this state.
    """
    try:
        return _TABLE[state, step]
    except KeyError:
        raise LocalProtocolError(f"a session that is {state.value} cannot {step}") from None
