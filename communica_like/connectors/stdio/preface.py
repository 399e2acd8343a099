"""Where the wire begins in what a child process writes to its stdout."""

from __future__ import annotations

from typing import Final

from ...exceptions import LinkError

__all__ = ["OPENING", "Preface"]

OPENING: Final = b"\n\x00communica_like on stdio\x00\n"
"""The first bytes that the child's connector sends."""

_MOST: Final = 64 * 1024  # stray bytes, until it is held to be another kind of program
_SHOWN: Final = 300
_NO_ENTITY: Final = "the child process is no entity on a StdioConnector()"


class Preface:
    """Parts what was written to stdout before the connector took it over from what belongs to the wire.

    A program may print while it imports, and a shell on the way to it (``ssh host ...``) often does.

    Attributes:
        found: the wire has begun.
        stray: what came before it.
    """

    def __init__(self) -> None:
        self.found = False
        self.stray = b""
        self._sent = b""

    def sent(self, data: bytes) -> None:
        """Something was sent to the child meanwhile."""
        if len(self._sent) < _SHOWN:
            self._sent += data

    def received(self, data: bytes) -> bytes | None:
        """Take bytes from the child, and return those that belong to the wire; None: it has not begun.

        Raises:
            LinkError: the child is no entity.
        """
        self.stray, mark, wire = (self.stray + data).partition(OPENING)
        if mark:
            self.found = True
            return wire
        if len(self.stray) > _MOST:
            raise LinkError(f"{_NO_ENTITY}: it wrote {self._quoted()}")
        if self._sent and self._sent in self.stray:
            raise LinkError(f"{_NO_ENTITY}: it gives back what it is sent")
        return None

    def describe(self) -> str:
        """Say what came instead of the wire, if anything did."""
        if self.found or not self.stray:
            return ""
        return f"; it did not get as far as a StdioConnector(), and wrote to stdout {self._quoted()}"

    def _quoted(self) -> str:
        more = "..." if len(self.stray) > _SHOWN else ""
        return f"{self.stray[:_SHOWN].decode(errors='replace')!r}{more}"
