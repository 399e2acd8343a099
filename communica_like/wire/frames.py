"""The kinds of frames, and the header that every frame has.

A frame is a header of 20 bytes and a payload of ``length`` bytes (all integers big-endian)::

    length u32 | kind u8 | flags u8 | route_size u16 | ident u64 | arg u32 | payload

The payload is the route name (``route_size`` bytes of UTF-8), then the body. What ``ident`` and
``arg`` mean depends on the kind; docs/topics/wire-format.md is the specification.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from ..exceptions import RemoteProtocolError

HEADER: Final = Struct("!IBBHQI")
HEADER_SIZE: Final = HEADER.size

# Sequenced kinds: counted by both sides, acknowledged, replayed on the next link.
REQUEST: Final = 1
THROW: Final = 2
RESULT: Final = 3
ERROR: Final = 4
CANCEL: Final = 5
CONTINUE: Final = 6
ABANDON: Final = 7
LAST_SEQUENCED: Final = 15

# Unsequenced kinds: belong to one link, never replayed.
ACK: Final = 16
PING: Final = 17
GOODBYE: Final = 18

# The handshake: the first frames on a link.
HELLO: Final = 32
CHALLENGE: Final = 33
PROOF: Final = 34
WELCOME: Final = 35
REJECT: Final = 36

MORE: Final = 0x01
"""Flag: the body continues in CONTINUE frames. The payload of the first frame starts with a MORE_PREFIX."""

MORE_PREFIX: Final = Struct("!IQ")
"""Number of the stream, and bytes of the whole body."""

ACK_BODY: Final = Struct("!QQ")
"""Credit limits for small and for large messages: bytes since the session began."""

MAX_ROUTE: Final = 0xFFFF


def control(kind: int, body: bytes = b"", ident: int = 0, arg: int = 0) -> bytes:
    """Return a frame that has neither route nor flags."""
    return HEADER.pack(len(body), kind, 0, 0, ident, arg) + body


def split_frames(data: bytes) -> list[tuple[int, int, int, int, int, bytes]]:
    """Split bytes that end with a frame into ``(kind, flags, route_size, ident, arg, payload)`` tuples.

    Raises:
        RemoteProtocolError: the last frame is cut short.
    """
    frames = []
    position, size = 0, len(data)
    while position < size:
        start = position + HEADER_SIZE
        if start > size:
            raise RemoteProtocolError(f"frame header cut short: {size - position} of {HEADER_SIZE} bytes")
        length, kind, flags, route_size, ident, arg = HEADER.unpack_from(data, position)
        position = start + length
        if position > size:
            raise RemoteProtocolError(f"frame cut short: {size - start} of {length} bytes of payload")
        frames.append((kind, flags, route_size, ident, arg, data[start:position]))
    return frames
