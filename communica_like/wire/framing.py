"""FrameReader: cuts a byte stream into frames, one at a time, for the handshake.

A session takes frames out of its stream itself (session/inbound.py), many at a time.
"""

from __future__ import annotations

from ..exceptions import RemoteProtocolError
from .frames import HEADER, HEADER_SIZE


class FrameReader:
    """Collects bytes of a stream and returns whole frames.

    Args:
        max_payload: bytes of the largest payload. A longer one is refused as soon as its header has come,
            before memory is allocated for it.
    """

    def __init__(self, max_payload: int) -> None:
        self._max_payload = max_payload
        self._data = b""

    def feed(self, data: bytes) -> None:
        """Add bytes of the stream, cut anywhere."""
        self._data += data

    def next_frame(self) -> tuple[int, int, bytes] | None:
        """Return ``(kind, arg, payload)`` of the next frame, or None if it is not complete yet.

        Raises:
            RemoteProtocolError: the payload exceeds the limit, as bytes of another protocol usually do.
        """
        data = self._data
        if len(data) < HEADER_SIZE:
            return None
        length, kind, _, _, _, arg = HEADER.unpack_from(data)
        if length > self._max_payload:
            raise RemoteProtocolError(
                f"the other side does not speak this protocol: its first bytes, {data[:16]!r}, announce "
                f"a frame of {length} bytes where at most {self._max_payload} are allowed"
            )
        end = HEADER_SIZE + length
        if len(data) < end:
            return None
        self._data = data[end:]
        return kind, arg, data[HEADER_SIZE:end]

    def rest(self) -> bytes:
        """Remove the bytes after the last frame, and return them."""
        data, self._data = self._data, b""
        return data
