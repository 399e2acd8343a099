"""The original packages, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self

import pytest

__all__ = ["Original", "Raised", "needs"]

PATIENCE = 20.0  # seconds for one answer

# noxfile.py names those that it installed: their tests must not be skipped.
REQUIRED = os.environ.get("COMMUNICA_LIKE_INTEROP", "").split()


def needs(package: str) -> None:
    """Skip the test file that calls this unless *package* is installed; fail, if it is required."""
    try:
        version(package)
    except PackageNotFoundError:
        if package in REQUIRED:
            pytest.fail(f"{package} is not installed, and COMMUNICA_LIKE_INTEROP says that it must be")
        pytest.skip(f"{package} is not installed", allow_module_level=True)


class Raised(Exception):
    """What a method of the original raised: the name of its type, and its text."""


class Original:
    """A queue of an original package, in a process that is killed at the end.

    Args:
        program: in tests/interop/programs.
        arguments: for the program: which queue to open.
    """

    def __init__(self, program: str, *arguments: object) -> None:
        command = [sys.executable, "-m", f"tests.interop.programs.{program}", *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    async def ask(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        """Call a method of its queue there; return what it returns, or raise Raised."""
        self.tell(method, *arguments, **named)
        return await self.answer()

    def tell(self, method: str, /, *arguments: Any, **named: Any) -> None:
        """Call a method, which may take its time: ``answer`` waits for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(pickle.dumps((method, arguments, named)).hex() + "\n")
        self._process.stdin.flush()

    async def answer(self) -> Any:
        """Wait for what the method returns, or raise Raised."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(self._process.stdout.readline), PATIENCE)
        assert line, "the program has ended; see its stderr"
        result, raised = pickle.loads(bytes.fromhex(line))
        if raised:
            raise Raised(raised)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
