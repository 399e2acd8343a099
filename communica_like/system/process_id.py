"""ProcessId: a process, where its pid alone may have been reused."""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple, Self

_DEAD: Final = ("Z", "X", "x")  # ended, whether or not its parent has waited for it
_EXITING: Final = 0x4  # PF_EXITING of the kernel's sched.h


class ProcessId(NamedTuple):
    """A process, told apart from all others that had or will have its pid.

    Attributes:
        pid: its process id.
        start: its start time in clock ticks since boot: field 22 of proc_pid_stat(5). 0 where unknown.
        namespace: the inode of its pid namespace: pid_namespaces(7). 0 where there are none.
    """

    pid: int
    start: int
    namespace: int

    @classmethod
    def own(cls) -> Self:
        """Return this process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Self:
        """Return the process that has this pid now. If there is none, the result is not ``alive``."""
        found = _stat(pid)
        return cls(pid, found.start if found else 0, _namespace())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the process that ``str`` turned into *text*.

        Raises:
            ValueError: the text is malformed.
        """
        found = re.fullmatch(r"([0-9]+)\.([0-9]+)\.([0-9]+)", text)
        if found is None:
            raise ValueError(f"not a process id: {text!r}")
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return f"{self.pid}.{self.start}.{self.namespace}"

    @property
    def known_here(self) -> bool:
        """Whether its pid belongs to the pid namespace of this process."""
        return self.namespace == _namespace()

    @property
    def alive(self) -> bool:
        """Whether it has not ended. A process of another pid namespace is assumed to be alive."""
        if not self.known_here:
            return True
        found = _stat(self.pid)
        if found is None:
            return not os.path.exists("/proc/self/stat") and _exists(self.pid)
        return found.state not in _DEAD and self.start in (0, found.start)

    @property
    def ending(self) -> bool:
        """Whether the kernel is tearing it down, so that it runs no more code. False where unknown."""
        found = _stat(self.pid) if self.known_here else None
        return found is not None and self.start in (0, found.start) and bool(found.flags & _EXITING)

    @property
    def uid(self) -> int | None:
        """The id of the user that it belongs to, or None where unknown."""
        if not self.known_here:
            return None
        try:
            return os.stat(f"/proc/{self.pid}").st_uid
        except OSError:
            return None


class _Stat(NamedTuple):
    """Some fields of proc_pid_stat(5)."""

    state: str
    flags: int
    start: int


def _stat(pid: int) -> _Stat | None:
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


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's
    return True
