"""Whether another process waits in a blocking call."""

from __future__ import annotations

import os

__all__ = ["parked"]


def parked(pid: int) -> bool:
    """Whether a process has more threads than its main thread, which sleeps: see proc(5)."""
    folder = f"/proc/{pid}/task"
    with open(f"{folder}/{pid}/stat", encoding="ascii") as file:
        return len(os.listdir(folder)) > 1 and file.read().rpartition(")")[2].split()[0] == "S"
