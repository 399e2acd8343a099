"""Two named pipes for one client and its server: fifo(7)."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import sys
from typing import Final, Self

from ...system import Registration, fork, register, state_directory

__all__ = ["FifoPair"]

_CLOSED: Final = -1
# On Linux a pipe that nobody has opened for writing yet is not at its end, says poll(2). Elsewhere it may be:
# there the client has it open until it hears from the server, and an end before that needs the heartbeat.
_END_NEEDS_A_WRITER: Final = sys.platform == "linux"
_TOKEN: Final = re.compile(r"[0-9a-f]{24}")


class FifoPair:
    """One side's ends of both. Their names belong to the client, until the server removes them.

    Attributes:
        token: what they are called.
        reading, writing: this side's descriptors, non-blocking. They belong to the caller.
        complete: whether the other side surely had them open, so that nothing to read is the end.
    """

    reading: int
    writing: int

    def __init__(self, token: str) -> None:
        self.token = token
        self._paths = _paths(token)
        self.complete = False
        self._entries: list[Registration] = []
        self._stand_ins: list[int] = []  # for the server's ends, until it has them open

    @property
    def endpoints(self) -> tuple[str]:
        """How a client tells a server of it."""
        return (self.token,)

    @classmethod
    def make(cls) -> Self:
        """Make the pipes, as a client.

        Raises:
            LinkError, OSError: they cannot be made.
        """
        pair = cls(secrets.token_hex(12))
        inwards, outwards = pair._paths
        with contextlib.ExitStack() as undo:
            undo.callback(pair.unlink)
            for path in (inwards, outwards):
                pair._entries.append(register("fifo", path))
                os.mkfifo(path, 0o600)
            pair.reading = _open(inwards, os.O_RDONLY, undo)
            if not _END_NEEDS_A_WRITER:
                pair._stand_ins.append(_open(inwards, os.O_WRONLY, undo))
            pair._stand_ins.append(_open(outwards, os.O_RDONLY, undo))
            pair.writing = _open(outwards, os.O_WRONLY, undo)
            undo.pop_all()
        return pair

    @classmethod
    def of_client(cls, *endpoints: str) -> Self:
        """Open what a client made, and remove the names.

        Raises:
            ValueError: no client calls it so.
            FileNotFoundError: it is not there any more.
            OSError: it cannot be opened.
        """
        if len(endpoints) != 1 or not _TOKEN.fullmatch(endpoints[0]):
            raise ValueError(f"no pair of pipes is called {endpoints!r}")
        pair = cls(endpoints[0])
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
        for entry in self._entries:
            entry.remove()

    def met(self) -> None:
        """The server has the pipes open, or never will: from now on they end with it."""
        self.unlink()
        while self._stand_ins:
            _close(self._stand_ins.pop())

    def hang_up(self) -> None:
        """Close all but the end to read from, which has an end of file when the server hangs up."""
        self.met()
        if self.writing != _CLOSED:
            _close(self.writing)
            self.writing = _CLOSED

    def remove(self) -> None:
        """Close all, and remove the names, if they are still there."""
        self.hang_up()
        _close(self.reading)


def _paths(token: str) -> tuple[str, str]:
    """Return the paths of the pipe that the client reads, and of the one that it writes."""
    path = state_directory() / f"pipe-{token}"
    return f"{path}-in", f"{path}-out"


def _open(path: str, direction: int, undo: contextlib.ExitStack) -> int:
    descriptor = os.open(path, direction | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC)
    # None of it may stay open in a child that is forked off meanwhile: then the end would not be seen.
    fork.add(descriptor)
    undo.callback(_close, descriptor)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        raise FileNotFoundError(f"{path} is no named pipe")
    return descriptor


def _close(descriptor: int) -> None:
    fork.discard(descriptor)
    os.close(descriptor)
