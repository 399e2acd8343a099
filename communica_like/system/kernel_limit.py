"""The kernel's limits, as sysctl(8) names them."""

from __future__ import annotations

__all__ = ["kernel_limit"]


def kernel_limit(name: str) -> int | None:
    """Return a limit such as ``fs.mqueue.msg_max``, or None where the system has none of that name."""
    try:
        with open(f"/proc/sys/{name.replace('.', '/')}", encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return None  # not Linux, or not mounted
