"""Several server processes of one shared inbox, and what they wrote down."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from communica_like import RmqInboxConnector

__all__ = ["Crowd"]

_ROOT: Final = Path(__file__).parents[4]


class Crowd:
    """Server processes, from ``async with`` to the end of each.

    Args:
        connector: of the inbox.
        count: how many there are.
        journal: a file for all of them.
        seconds: what a request takes.
    """

    def __init__(self, connector: RmqInboxConnector, count: int, journal: Path, seconds: float = 0.0) -> None:
        self._url = connector.dump_state()
        self._count = count
        self._journal = journal
        self._seconds = seconds
        self.processes: list[Process] = []

    async def __aenter__(self) -> Self:
        try:
            self.processes = list(await asyncio.gather(*(self._start() for _ in range(self._count))))
            for process in self.processes:
                assert process.stdout is not None
                line = await asyncio.wait_for(process.stdout.readline(), 20)
                assert line == b"serving\n", line
        except BaseException:
            await self._end(signal.SIGKILL)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end(signal.SIGTERM if error is None else signal.SIGKILL)

    def kill_one(self) -> int:
        """Kill one with SIGKILL; return its number."""
        process = self.processes[0]
        process.kill()
        return process.pid

    def handled(self, kind: str) -> Counter[int]:
        """Return how often each number of a kind was handled."""
        lines = self._journal.read_text().split("\n") if self._journal.exists() else []
        return Counter(int(line.split()[1]) for line in lines if line.startswith(f"{kind} "))

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.connectors.amqp.inbox.server_program",
            self._url,
            str(self._journal),
            str(self._seconds),
            stdout=PIPE,
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )

    async def _end(self, number: signal.Signals) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.send_signal(number)
        for process in self.processes:
            await asyncio.wait_for(process.wait(), 20)
