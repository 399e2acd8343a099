"""Two named pipes for one client and its server: fifo(7)."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import Final, Self

from ...system import fork, register, state_directory
from .rendezvous import Pair, token_of

_CLOSED: Final = -1
# On Linux poll(2) does not report the end of a pipe that has had no writer yet. Elsewhere it may: there the
# client keeps a writer open until it hears from the server, and an end before that needs the heartbeat.
_END_NEEDS_A_WRITER: Final = sys.platform == "linux"


class FifoPair(Pair):
    """One side's ends of both pipes.

    Attributes:
        reading, writing: this side's descriptors, non-blocking. They belong to the caller.
        complete: whether the other side surely had them open, so that nothing to read is the end.
    """

    reading: int
    writing: int

    def __init__(self, token: str | None = None) -> None:
        super().__init__(token)
        path = state_directory() / f"pipe-{self.token}"
        self._paths = f"{path}-in", f"{path}-out"  # as the client sees it
        self.complete = False
        self._placeholders: list[int] = []  # for the server's ends, until it has them open

    @classmethod
    def make(cls) -> Self:
        pair = cls()
        inwards, outwards = pair._paths
        with contextlib.ExitStack() as undo:
            undo.callback(pair.unlink)
            for path in pair._paths:
                pair._registrations.append(register("fifo", path))
                os.mkfifo(path, 0o600)
            pair.reading = _open(inwards, os.O_RDONLY, undo)
            if not _END_NEEDS_A_WRITER:
                pair._placeholders.append(_open(inwards, os.O_WRONLY, undo))
            pair._placeholders.append(_open(outwards, os.O_RDONLY, undo))
            pair.writing = _open(outwards, os.O_WRONLY, undo)
            undo.pop_all()
        return pair

    @classmethod
    def of_client(cls, *endpoints: str) -> Self:
        pair = cls(token_of(endpoints))
        outwards, inwards = pair._paths
        with contextlib.ExitStack() as undo:
            pair.reading = _open(inwards, os.O_RDONLY, undo)
            pair.writing = _open(outwards, os.O_WRONLY, undo)
            undo.pop_all()
        pair.complete = True
        pair.unlink()
        return pair

    def unlink(self) -> None:
        """Remove the names, if they are still there."""
        for path in self._paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        for registration in self._registrations:
            registration.remove()

    def establish(self) -> None:
        """Make the pipes end with the server, which has them open by now, or never will."""
        self.unlink()
        while self._placeholders:
            _close(self._placeholders.pop())

    def close_writing(self) -> None:
        """Close all but the end to read from, which ends when the server closes its own."""
        self.establish()
        if self.writing != _CLOSED:
            _close(self.writing)
            self.writing = _CLOSED

    def remove(self) -> None:
        self.close_writing()
        _close(self.reading)


def _open(path: str, direction: int, undo: contextlib.ExitStack) -> int:
    descriptor = os.open(path, direction | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC)
    # A copy that stays open in a forked child would hide the end of the pipe.
    fork.add(descriptor)
    undo.callback(_close, descriptor)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        raise FileNotFoundError(f"{path} is no named pipe")
    return descriptor


def _close(descriptor: int) -> None:
    fork.discard(descriptor)
    os.close(descriptor)
