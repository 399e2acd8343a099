"""What a session tells its driver: plain tuples, because there is one for every message.

``Event`` is ``(kind, subject, number, route, body)``. By kind:

=========  ======================  ===================  ==========================
kind       subject                 number               body
=========  ======================  ===================  ==========================
REQUEST    id to answer with       budget in ms, or 0   request data (with route)
THROW      0                       0                    thrown data (with route)
RESULT     token of the request    0                    answer
ERROR      token of the request    kind of Failure      encoded Failure
CANCEL     id of the request       0                    -
GOODBYE    0                       code of the Reason   encoded Reason
TIMED_OUT  token of the request    0                    -
LINK_DEAD  text: why               0                    -
EXPIRED    0                       0                    -
BROKEN     RemoteProtocolError     0                    -
DROPPED    0                       size in bytes        -
=========  ======================  ===================  ==========================

The first six are frame kinds of the wire; the rest are here.
"""

from __future__ import annotations

from typing import Any, Final

from ..wire.frames import CANCEL, ERROR, GOODBYE, REQUEST, RESULT, THROW

__all__ = [
    "BROKEN",
    "CANCEL",
    "DROPPED",
    "ERROR",
    "EXPIRED",
    "GOODBYE",
    "LINK_DEAD",
    "REQUEST",
    "RESULT",
    "THROW",
    "TIMED_OUT",
    "Event",
]

Event = tuple[int, Any, int, bytes, bytes]

TIMED_OUT: Final = 100
"""A request's time is over. The other side has been told to stop."""

LINK_DEAD: Final = 101
"""The link has been silent for too long: break it."""

EXPIRED: Final = 102
"""The resume window closed without a new link: end the session."""

BROKEN: Final = 103
"""The other side breaks the protocol: break the link and end the session."""

DROPPED: Final = 104
"""A throw that waited for a session is too big for the side it found."""
