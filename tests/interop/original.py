"""The original packages, each in a process of its own."""

from __future__ import annotations

import os
import pickle
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

from tests.process import AsyncProgram

__all__ = ["Original", "Raised", "needs"]

PATIENCE = 40.0  # seconds for one answer

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


class Original(AsyncProgram):
    """A queue of an original package, in a process of its own.

    Args:
        program: in tests/interop/programs.
        arguments: for the program: which queue to open.
    """

    def __init__(self, program: str, *arguments: object) -> None:
        super().__init__("-m", f"tests.interop.programs.{program}", *arguments)

    async def ask(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        """Call a method of its queue there; return what it returns, or raise Raised."""
        self.tell(method, *arguments, **named)
        return await self.answer()

    def tell(self, method: str, /, *arguments: Any, **named: Any) -> None:
        """Call a method, which may take its time: ``answer`` waits for it."""
        self.write(pickle.dumps((method, arguments, named)).hex())

    async def answer(self) -> Any:
        """Wait for what the method returns, or raise Raised."""
        result, raised = pickle.loads(bytes.fromhex(await self.line()))
        if raised:
            raise Raised(raised)
        return result
