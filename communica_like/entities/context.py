"""What a handler may know beside the data, and the time that nested requests inherit."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass

from ..abc import PeerIdentity

__all__ = ["Context", "inherited_deadline"]

inherited_deadline: ContextVar[float | None] = ContextVar("inherited_deadline", default=None)
"""When the request that is being handled times out, by ``time.monotonic()``."""


@dataclass(frozen=True, slots=True)
class Context:
    """The second argument of a handler that takes two.

    Attributes:
        route: the route's name; ``""`` for Simple entities.
        client_id: the client on the connection: on a server who asks, on a client its own id.
        peer: who is at the other end, as far as the link can tell.
        deadline: when the requester stops waiting, by ``time.monotonic()``; None: never, or a throw.
    """

    route: str
    client_id: str
    peer: PeerIdentity
    deadline: float | None

    @property
    def remaining(self) -> float | None:
        """Seconds until the requester stops waiting, at least 0.0; None: it waits for ever."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - time.monotonic())
