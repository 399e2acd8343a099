"""The queues that are measured: by hand, as the library has them, and as the original packages have them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from benchmarks import queue_media

__all__ = ["BY_HAND", "MEDIA", "MOST_IDLE", "MOST_SILENT", "MOST_TIMES", "ORIGINAL", "OURS", "Medium"]

MOST_TIMES: Final = 1.4
"""How many times as long as by hand a round trip through the library may take."""

MOST_SILENT: Final = 0.002
"""Seconds from put to get that an item may take after a silence, in the median."""

MOST_IDLE: Final = 0.005
"""The share of a processor that a waiting get may take."""

BY_HAND: Final = "by hand"
OURS: Final = "the library"
ORIGINAL: Final = "the original"


@dataclass(frozen=True, slots=True)
class Medium:
    """One row of each table: up to three contestants on the same kind of queue.

    Attributes:
        title: how the table calls it.
        places: makes two queues, in a directory if they need one.
        by_hand: the class of queue_by_hand to which the others are compared.
        ours: the class of queue_library; None: there is none yet.
        original, package: the class of queue_originals, and the distribution that it needs.
        judged: whether MOST_TIMES counts.
    """

    title: str
    places: Callable[[str], AbstractContextManager[tuple[str, str]]]
    by_hand: str
    ours: str | None
    original: str
    package: str
    judged: bool = True

    def classes(self) -> dict[str, str]:
        """Return those that can be measured here: ``module:class`` by BY_HAND, OURS and ORIGINAL."""
        found = {BY_HAND: f"benchmarks.queue_by_hand:{self.by_hand}"}
        if self.ours is not None:
            found[OURS] = f"benchmarks.queue_library:{self.ours}"
        if self.has_original():
            found[ORIGINAL] = f"benchmarks.queue_originals:{self.original}"
        return found

    def has_original(self) -> bool:
        """Whether the original package is installed."""
        try:
            version(self.package)
        except PackageNotFoundError:
            return False
        return True


MEDIA: Final = (
    Medium("PosixMQ", queue_media.posix, "Posix", "Posix", "IpcqueuePosix", "ipcqueue"),
    Medium("SysVMQ", queue_media.sysv, "SysV", "SysV", "IpcqueueSysV", "ipcqueue"),
    Medium("PipeQueue", queue_media.fifo, "Fifo", "Pipe", "Turberfield", "turberfield-utils"),
    Medium("ManagerQueue", queue_media.manager, "Manager", "Manager", "Ipcq", "ipcq", judged=False),
)
