"""The two processes of one contestant, kept from the first round to the last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from benchmarks.processors import CLIENT, SERVER, keep_to

__all__ = ["ContestantFailed", "Pair"]

CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE = 5.0  # seconds that a process has for going away by itself


class ContestantFailed(Exception):
    """A process of a contestant ended where it should have answered. Its own words are on stderr."""


class Pair:
    """A server and a client process: started on entering, gone after leaving, however that comes about.

    Each says that it is ready, the client answers questions, and both end at the end of their input.

    Args:
        name: the contestant's.
        client, server: the module that each runs, and its arguments. No *server*: the client starts it.
    """

    def __init__(self, name: str, client: Sequence[str], server: Sequence[str] | None) -> None:
        self.name = name
        self._commands = {"server": server, "client": client}
        self._children: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        try:
            for role, processor in (("server", SERVER), ("client", CLIENT)):
                command = self._commands[role]
                if command is not None:
                    self._start(role, command, processor)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def ask(self, question: str) -> Any:
        """Have the client do something, and return what it answers, a line of JSON."""
        self.tell(question)
        return self.answer()

    def tell(self, question: str) -> None:
        """Have the client begin; ``answer`` waits for it."""
        stdin = self._children[-1].stdin
        assert stdin is not None
        try:
            stdin.write(f"{question}\n")
            stdin.flush()
        except BrokenPipeError:
            raise ContestantFailed(f"{self.name}: the client process is gone") from None

    def answer(self) -> Any:
        """Wait for the client's answer."""
        return orjson.loads(self._line(self._children[-1], "client"))

    def _start(self, role: str, command: Sequence[str], processor: int) -> None:
        child = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._children.append(child)
        keep_to(processor, child.pid)
        self._line(child, role)

    def _line(self, child: subprocess.Popen[str], role: str) -> str:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise ContestantFailed(f"{self.name}: the {role} process failed")
        return line

    def _stop(self) -> None:
        for child in reversed(self._children):
            if child.stdin is not None:
                child.stdin.close()  # the child exits at the end of its input
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)  # with whatever it started
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        self._children.clear()
