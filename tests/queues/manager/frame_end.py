"""One end of a line for frames, which a test plays."""

from __future__ import annotations

import socket

from communica_like.queues.manager.protocol import Item, Kind, join_frame

__all__ = ["PATIENCE", "End"]

PATIENCE = 20.0


class End:
    """One end of a line, at which frames are said word by word."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.socket.settimeout(PATIENCE)

    def say(self, kind: Kind, number: int, item: bytes | None = None) -> None:
        self.say_frames(join_frame(kind, number, None if item is None else Item(False, item)))

    def say_frames(self, *frames: bytes) -> None:
        """Say what is heard at once."""
        self.socket.sendall(b"".join(len(frame).to_bytes(4) + frame for frame in frames))

    def hear(self) -> tuple[Kind, int, bytes]:
        frame = self._exactly(int.from_bytes(self._exactly(4)))
        return Kind(frame[0]), int.from_bytes(frame[1:9]), frame[10:]

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            assert part
            data += part
        return data
