"""The kernel's limits: sysctl(8), proc(5)."""

from __future__ import annotations


def sysctl(name: str) -> int | None:
    """Return the value of *name*, such as ``"kernel.msgmax"``; None if this system has no such limit."""
    try:
        with open(f"/proc/sys/{name.replace('.', '/')}", encoding="ascii") as file:
            return int(file.read())
    except OSError:  # not Linux, or not mounted
        return None
