"""Child programs for tests of ProcessLines, and what is needed to start and watch them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from communica_like.queues.process.process_lines import ProcessLines

__all__ = ["CAT", "DEAF", "FOREVER", "PATIENCE", "Start", "got", "lives", "soon", "starter"]

PATIENCE = 40.0
CAT = "import sys\nfor line in sys.stdin.buffer:\n    sys.stdout.buffer.write(line)\n    sys.stdout.flush()"
FOREVER = "import signal\nprint('ready', flush=True)\nwhile True: signal.pause()"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER

Start = Callable[..., Awaitable[ProcessLines]]


@contextlib.asynccontextmanager
async def starter() -> AsyncIterator[Start]:
    """Give what starts a Python program; all are killed at the end."""
    started = []

    async def start(program: str, **options: Any) -> ProcessLines:
        lines = ProcessLines([sys.executable, "-c", program], **options)
        started.append(lines)
        await lines.start()
        return lines

    yield start
    for lines in started:
        lines.close()


async def soon(true: Callable[[], bool]) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie of whoever has inherited it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


async def got(lines: ProcessLines) -> str:
    return await asyncio.wait_for(lines.get(), PATIENCE)
