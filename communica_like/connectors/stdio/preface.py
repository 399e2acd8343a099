"""Where the stream begins in what a child process writes to its stdout."""

from __future__ import annotations

from typing import Final

from ...exceptions import LinkError

OPENING: Final = b"\n\x00communica_like on stdio\x00\n"
"""The first bytes that the child's connector sends."""

_LARGEST: Final = 64 * 1024  # stray bytes; with more of them it is another kind of program
_SHOWN: Final = 300
_NO_ENTITY: Final = "the child process is no entity on a StdioConnector()"


class Preface:
    """Separates the stream from what was written to stdout before it.

    A program may print while it imports, and a shell on the way to it (``ssh host ...``) often does.

    Attributes:
        found: whether the stream has begun.
        stray: the bytes before it.
    """

    def __init__(self) -> None:
        self.found = False
        self.stray = b""
        self._sent = b""

    def sent(self, data: bytes) -> None:
        """Remember what was sent to the child meanwhile, to recognize an echo."""
        if len(self._sent) < _SHOWN:
            self._sent += data

    def received(self, data: bytes) -> bytes | None:
        """Take bytes from the child; return those of the stream, or None before it.

        Raises:
            LinkError: the child is no entity.
        """
        self.stray, mark, stream = (self.stray + data).partition(OPENING)
        self.found = bool(mark)
        if not mark and len(self.stray) > _LARGEST:
            raise LinkError(f"{_NO_ENTITY}: it wrote {self._quoted()}")
        if not mark and self._sent and self._sent in self.stray:
            raise LinkError(f"{_NO_ENTITY}: it echoes what it is sent")
        return stream if mark else None

    def describe(self) -> str:
        """Return what came instead of the stream, as the end of a sentence; or nothing."""
        if self.found or not self.stray:
            return ""
        return f"; it did not get as far as a StdioConnector(), and wrote to stdout {self._quoted()}"

    def _quoted(self) -> str:
        more = "..." if len(self.stray) > _SHOWN else ""
        return f"{self.stray[:_SHOWN].decode(errors='replace')!r}{more}"
