"""Private directories that no other program on this machine looks at."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from communica_like.system import registry, state_directory

__all__ = ["clear", "entries_of", "session_directory", "use_private"]


@contextlib.contextmanager
def session_directory() -> Iterator[None]:
    """Give this process, and all that it starts, a private directory of its own, with a short path."""
    former = os.environ.get("COMMUNICA_LIKE_DIR")
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        os.environ["COMMUNICA_LIKE_DIR"] = folder
        yield
        clear(Path(folder))
    del os.environ["COMMUNICA_LIKE_DIR"]
    if former is not None:
        os.environ["COMMUNICA_LIKE_DIR"] = former


def use_private(place: str | Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use ``state`` in *place* for a test; return that directory."""
    monkeypatch.setenv("COMMUNICA_LIKE_DIR", str(Path(place, "state")))
    return state_directory()


def clear(directory: Path) -> None:
    """Remove all that is registered in *directory*, whoever owns it, as a failed test may leave it."""
    for path in directory.glob("owned-*"):
        owned = registry._read(path)
        if owned is not None:
            registry._remove(*owned)


def entries_of(directory: Path) -> list[str]:
    """Return what is registered in *directory*, and the pipes beside it."""
    found = []
    for path in directory.iterdir():
        if path.name.startswith("pipe-"):
            found.append(path.name)
        elif path.name.startswith("owned-"):
            with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                found.append(path.read_text(errors="replace").replace("\n", " "))
    return sorted(found)
