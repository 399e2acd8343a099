"""Several server processes of one shared inbox, and what they wrote down."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from communica_like import RmqInboxConnector
from tests.process import AsyncProgram

__all__ = ["Crowd"]


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
        self.programs: list[AsyncProgram] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(self._count):
                arguments = (self._url, self._journal, self._seconds)
                program = AsyncProgram("-m", "tests.connectors.amqp.inbox.server_program", *arguments)
                self.programs.append(await stack.enter_async_context(program))
            for program in self.programs:
                assert await program.line() == "serving"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_exit(self._stack)
            if error is None:
                for program in self.programs:
                    program.send(signal.SIGTERM)
                for program in self.programs:
                    await program.end()

    def kill_one(self) -> int:
        """Kill one with SIGKILL; return its number."""
        program = self.programs[0]
        program.send(signal.SIGKILL)
        return program.pid

    def handled(self, kind: str) -> Counter[int]:
        """Return how often each number of a kind was handled."""
        lines = self._journal.read_text().split("\n") if self._journal.exists() else []
        return Counter(int(line.split()[1]) for line in lines if line.startswith(f"{kind} "))
