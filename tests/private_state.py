"""A registry and claims that no other program on this machine looks at."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

import communica_like.system
from communica_like.system import registry

__all__ = ["clear", "entries_of", "keep_private", "use"]


def use(place: str | Path) -> None:
    """Have this process keep its state directory in *place*, until its end."""
    _module().__dict__["_PLACES"] = (str(place),)


def keep_private(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Do so for a test; return the directory, which is made by and by."""
    monkeypatch.setattr(_module(), "_PLACES", (str(place),))
    return communica_like.system.state_directory()


def clear(directory: Path) -> None:
    """Remove what is in the registry in *directory*, whoever owns it: who else would, after a failure?"""
    for path in directory.glob("owned-*"):
        thing = registry._read(path)
        if thing is not None:
            registry._REMOVE[thing[0]](thing[1])


def entries_of(directory: Path) -> list[str]:
    """Return what the registry in *directory* holds, and pipes beside it."""
    found = []
    for path in directory.iterdir():
        if path.name.startswith("pipe-"):
            found.append(path.name)
        elif path.name.startswith("owned-"):
            with contextlib.suppress(FileNotFoundError):  # struck since it was listed
                found.append(path.read_text(errors="replace").replace("\n", " "))
    return sorted(found)


def _module() -> object:
    # The package's attribute of that name is the function.
    return sys.modules["communica_like.system.state_directory"]
