"""What tests of blocking objects share, and what is asked of each of them."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nobody_keeps_the_portal() -> Iterator[None]:
    """No test leaves the shared portal behind, where it would be taken for another test's."""
    yield
    deadline = time.monotonic() + 20.0
    while left := [each.name for each in threading.enumerate() if each.name == "communica_like portal"]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    assert not left, "something was not closed"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A directory with a short name, for sockets; the private directory is ``state`` in it."""
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        monkeypatch.setenv("COMMUNICA_LIKE_DIR", f"{folder}/state")
        yield folder
