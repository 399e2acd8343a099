"""Events: what a session reports to its driver, as plain tuples, since there is one for every message.

``Event`` is ``(kind, subject, number, route, body)``. By kind:

=========  ======================  ===================  ==========================
kind       subject                 number               body
=========  ======================  ===================  ==========================
REQUEST    id to answer with       budget in ms, or 0   request data (with route)
THROW      0                       0                    thrown data (with route)
RESULT     token of the request    0                    response
ERROR      token of the request    kind of Failure      encoded Failure
CANCEL     id of the request       0                    -
GOODBYE    0                       code of the Reason   encoded Reason
TIMED_OUT  token of the request    1: was not sent, 0   -
LINK_DEAD  text: why               0                    -
EXPIRED    0                       0                    -
BROKEN     RemoteProtocolError     0                    -
DROPPED    0                       size in bytes        -
=========  ======================  ===================  ==========================

The first six are kinds of frames; the others are defined here.
"""

from __future__ import annotations

from typing import Any, Final

from ..wire.frames import CANCEL as CANCEL
from ..wire.frames import ERROR as ERROR
from ..wire.frames import GOODBYE as GOODBYE
from ..wire.frames import REQUEST as REQUEST
from ..wire.frames import RESULT as RESULT
from ..wire.frames import THROW as THROW

Event = tuple[int, Any, int, bytes, bytes]

TIMED_OUT: Final = 100
"""A request's deadline has passed. The other side is told to stop."""

LINK_DEAD: Final = 101
"""The link has been silent for longer than the heartbeat. The driver has to break it."""

EXPIRED: Final = 102
"""The resume window has passed without a new link. The driver has to end the session."""

BROKEN: Final = 103
"""The other side has violated the protocol. The driver has to break the link and end the session."""

DROPPED: Final = 104
"""A throw that waited for a session is larger than the other side accepts, and is dropped."""
