"""Addresses that no other test has, and that leave nothing behind."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]  # signals, /proc, Unix sockets


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory whose path is short enough for sockets in it."""
    path = Path(tempfile.mkdtemp(prefix="cl-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(params=["local", "tcp"])
def url(request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a server to come, once for Unix sockets and once for TCP."""
    if request.param == "local":
        return f"local://{folder}/socket"
    return f"tcp://127.0.0.1:{free_port()}"
