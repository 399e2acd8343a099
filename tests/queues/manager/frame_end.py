"""One end of a connection of frames, which a test plays."""

from __future__ import annotations

import socket

from communica_like.queues.manager.protocol import Frame, Item, Kind, join_frame, split_frame

__all__ = ["PATIENCE", "End"]

PATIENCE = 20.0


class End:
    """One end of a connection, at which frames are said word by word."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.socket.settimeout(PATIENCE)
        self._read = b""

    def say(self, kind: Kind, number: int, item: bytes | None = None) -> None:
        """Say one frame."""
        self.socket.sendall(join_frame(kind, number, None if item is None else Item(False, item)))

    def hear(self) -> tuple[Kind, int, bytes]:
        """Wait for one frame; return its kind, its number, and its item or nothing."""
        while (frame := self._next()) is None:
            part = self.socket.recv(65536)
            assert part, "the connection has ended"
            self._read += part
        return frame.kind, frame.number, b"" if frame.item is None else frame.item.data

    def heard(self) -> list[Frame]:
        """Return the frames that have come by now; an end is no frame."""
        self.socket.setblocking(False)
        try:
            while part := self.socket.recv(65536):
                self._read += part
        except (BlockingIOError, ConnectionError):
            pass
        finally:
            self.socket.settimeout(PATIENCE)
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        end = 4 + int.from_bytes(self._read[:4])
        if len(self._read) < 4 or len(self._read) < end:
            return None
        frame, self._read = split_frame(self._read[4:end]), self._read[end:]
        return frame
