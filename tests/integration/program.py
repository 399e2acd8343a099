"""A program of ``programs/`` in a process of its own."""

from __future__ import annotations

from tests.process import AsyncProgram

__all__ = ["program"]


def program(name: str, *arguments: object) -> AsyncProgram:
    """Start ``programs/NAME.py``."""
    return AsyncProgram("-m", f"tests.integration.programs.{name}", *arguments)
