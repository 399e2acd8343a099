"""Which processor the two processes of a contestant keep to.

Each has one of its own where there are two: else the scheduler would at times put both on one, which halves
the cost of a round trip and doubles that of everything else.
"""

from __future__ import annotations

import os
import sys
from typing import Final

__all__ = ["CLIENT", "SERVER", "keep_to"]

_PROCESSORS: Final = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else [0]

SERVER: Final = _PROCESSORS[0]
CLIENT: Final = _PROCESSORS[-1]


def keep_to(processor: int, process: int = 0) -> None:
    """Have a process, by default this one, run on *processor* alone; only Linux lets one say so."""
    if sys.platform == "linux":
        os.sched_setaffinity(process, {processor})
