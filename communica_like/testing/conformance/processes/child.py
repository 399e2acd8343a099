"""Child: a process of a check, which is surely ended."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ..meeting import reaches


class Child(subprocess.Popen[bytes]):
    """A program of the kit as a process."""

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.poll() is not None

    async def end(self, promise: str) -> int:
        """Wait for the end and return the exit code; fail with *promise* after the time limit."""
        await reaches(lambda: self.ended, f"{promise}: {self!r}")
        return int(self.returncode)

    def kill(self) -> None:
        """Kill the process, if it is alive, and wait for its end."""
        super().kill()
        self.wait()


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
