"""Child: a process of a check, which is surely ended."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from ..meeting import reaches


class Child:
    """A program of the kit as a process.

    Args:
        command: the program and its arguments.
        environment: all of its environment variables.
        errors: the file that its stderr is appended to.
    """

    def __init__(self, command: list[str], environment: dict[str, str], errors: Path) -> None:
        self._name = " ".join(command[-3:])
        self._errors = errors
        with open(errors, "ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                env=environment,
            )

    def __repr__(self) -> str:
        return f"<Child {self._name!r} {self.code if self.ended else 'runs'}>"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    @property
    def code(self) -> int:
        """The exit code, or the negative number of the signal that killed it; only after its end."""
        assert self._process.returncode is not None
        return self._process.returncode

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        self._process.send_signal(number)

    async def end(self, promise: str, seconds: float | None = None) -> int:
        """Wait for the end and return the exit code; fail with *promise* after the time limit."""
        await reaches(lambda: self.ended, f"{promise}: {self!r}", seconds)
        return self.code

    def kill(self) -> None:
        """Kill the process, if it is alive, and wait for its end."""
        self._process.kill()
        self._process.wait()

    def stderr(self) -> str:
        """Return what this process and earlier ones wrote to stderr."""
        return self._errors.read_text("utf-8", "replace")[-4000:]


def lives(pid: int) -> bool:
    """Return whether a process of this number exists and has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it may end while it is read
        # It has just ended; or the system has no /proc, and its parent is trusted to wait for it.
        return not Path("/proc/self/stat").exists()
    return stat.rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int, promise: str, seconds: float | None = None) -> None:
    """Wait until any process, also of others, has ended; fail with *promise* after the time limit."""
    await reaches(lambda: not lives(pid), f"{promise} (process {pid})", seconds)
