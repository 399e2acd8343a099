"""The two processes of one contestant, kept from the first round to the last."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from benchmarks.workloads import Measurement

__all__ = ["ContestantFailed", "Pair"]

CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE = 5.0  # seconds that a process has for going away by itself


class ContestantFailed(Exception):
    """A process of a contestant ended where it should have answered. Its own words are on stderr."""


class Pair:
    """A server and a client process: started on entering, gone after leaving, however that comes about.

    Each process keeps to a CPU of its own where there are two: else the scheduler would at times put both
    on one, which halves the cost of a round trip and doubles that of everything else.
    """

    def __init__(self, name: str, directory: str) -> None:
        self.name = name
        self._path = os.path.join(directory, f"{name}.sock")
        self._children: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        try:
            self._start("server")
            self._client = self._start("client")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def measure(self, workload: str, scale: float) -> Measurement:
        """Have the client measure *workload* once."""
        stdin = self._client.stdin
        assert stdin is not None
        try:
            stdin.write(f"{workload} {scale}\n")
            stdin.flush()
        except BrokenPipeError:
            raise ContestantFailed(f"{self.name}: the client process is gone") from None
        return Measurement(**orjson.loads(self._line(self._client, workload)))

    def _start(self, role: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{role}", self.name, self._path],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._children.append(child)
        if sys.platform == "linux":
            cpus = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(child.pid, {cpus[0] if role == "server" else cpus[-1]})
        self._line(child, "start")
        return child

    def _line(self, child: subprocess.Popen[str], what: str) -> str:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise ContestantFailed(f"{self.name}: {what} failed")
        return line

    def _stop(self) -> None:
        for child in reversed(self._children):
            if child.stdin is not None:
                child.stdin.close()  # the child exits at the end of its input
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        self._children.clear()
