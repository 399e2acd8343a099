"""Which process: a pid alone may be another's by now."""

from __future__ import annotations

import os
from typing import Final, NamedTuple, Self

__all__ = ["ProcessId"]

_DEAD: Final = ("Z", "X", "x")  # ended, whether or not its parent has looked yet
_EXITING: Final = 0x4  # PF_EXITING of the kernel's sched.h


class ProcessId(NamedTuple):
    """A process, told apart from all others that had or will have its pid.

    Attributes:
        pid: its process id.
        start: when it started, in clock ticks since the system did: field 22 of proc_pid_stat(5). 0 where
            the system does not tell.
        namespace: the inode of its pid's namespace: pid_namespaces(7). 0 where there is no such thing.
    """

    pid: int
    start: int
    namespace: int

    @classmethod
    def own(cls) -> Self:
        """Return this process."""
        found = _stat(os.getpid())
        return cls(os.getpid(), found.start if found else 0, _namespace())

    @classmethod
    def of(cls, pid: int) -> Self:
        """Return the process that has this pid now; one that is not alive, if there is none."""
        found = _stat(pid)
        return cls(pid, found.start if found else 0, _namespace())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what ``str`` made a text of.

        Raises:
            ValueError: it did not.
        """
        parts = text.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdecimal() for part in parts):
            raise ValueError(f"this names no process: {text!r}")
        pid, start, namespace = map(int, parts)
        return cls(pid, start, namespace)

    def __str__(self) -> str:
        return f"{self.pid}.{self.start}.{self.namespace}"

    @property
    def known_here(self) -> bool:
        """Whether its pid means anything here: it belongs to the pid namespace of this process."""
        return self.namespace == _namespace()

    @property
    def alive(self) -> bool:
        """Whether it runs. A process of another pid namespace, of which nothing is known here, is said to."""
        if not self.known_here:
            return True
        found = _stat(self.pid)
        if found is None:
            return _has_no_proc() and _exists(self.pid)
        return found.state not in _DEAD and self.start in (0, found.start)

    @property
    def ending(self) -> bool:
        """Whether the kernel is taking away what it had: it runs no more code, and if it is alive still, then
        not for long. False where that cannot be told.
        """
        found = _stat(self.pid) if self.known_here else None
        return found is not None and self.start in (0, found.start) and bool(found.flags & _EXITING)

    @property
    def uid(self) -> int | None:
        """The user that it belongs to, or None where that cannot be told."""
        if not self.known_here:
            return None
        try:
            return os.stat(f"/proc/{self.pid}").st_uid
        except OSError:
            return None


class _Stat(NamedTuple):
    """Some of what proc_pid_stat(5) says of a process."""

    state: str
    flags: int
    start: int


def _stat(pid: int) -> _Stat | None:
    """Return what there is to say of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The second field is the program's name, in parentheses, and may hold anything.
    fields = text[text.rindex(b")") + 2 :].split()
    return _Stat(fields[0].decode(), int(fields[6]), int(fields[19]))


def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _has_no_proc() -> bool:
    return not os.path.exists("/proc/self/stat")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
