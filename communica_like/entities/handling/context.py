"""The context of a handler's call, and the deadline that nested requests inherit."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf, isnan

from ...abc import PeerIdentity

inherited_deadline: ContextVar[float | None] = ContextVar("inherited_deadline", default=None)
"""The deadline of the request that is being handled, by the event loop's clock; None: there is none."""


def deadline_after(timeout: float | None, now: float) -> float | None:
    """Return when a call ends that has *timeout* seconds: no later than the request that is being handled.

    Raises:
        ValueError: the timeout is not a number.
    """
    deadline = inherited_deadline.get()
    if timeout is None or timeout == inf:
        return deadline
    if isnan(timeout):
        raise ValueError("a timeout is a number of seconds, not nan")
    return now + timeout if deadline is None else min(deadline, now + timeout)


@dataclass(frozen=True, slots=True)
class Context:
    """The second argument of a handler that takes two: what is known of the message beside its data.

    Attributes:
        route: the route's name; ``""`` for Simple entities.
        client_id: the id of the client on the connection: on a server the sender's, on a client its own.
        peer: the process at the other end, as far as the link can tell.
        deadline: when the requester stops waiting, by the event loop's clock; None: never, or a throw.
        clock: the event loop's clock.
        key: with a shared inbox, the same for all copies of what is to be done once. None: a session, which
            handles each message once.
        redelivered: with a shared inbox, whether this message may have been handled before.
        deliveries: with a shared inbox, how often the message came back. None: the broker does not tell, or
            a session.
    """

    route: str
    client_id: str
    peer: PeerIdentity
    deadline: float | None
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)
    key: str | None = None
    redelivered: bool = False
    deliveries: int | None = None

    @property
    def remaining(self) -> float | None:
        """Seconds until the requester stops waiting, at least 0.0; None: it waits forever."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - self.clock())
