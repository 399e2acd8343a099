"""Addresses that no other test has, and that leave nothing behind."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]  # signals, /proc, Unix sockets


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory whose path is short enough for sockets in it."""
    path = Path(tempfile.mkdtemp(prefix="cl-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def free_port() -> int:
    """A TCP port that was free on both loopback addresses a moment ago."""
    for _ in range(20):
        with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
            four.bind(("127.0.0.1", 0))
            port: int = four.getsockname()[1]
            try:
                six.bind(("::1", port))
            except OSError as exc:
                if exc.errno == 98:
                    continue
            return port
    raise AssertionError("no free port")


@pytest.fixture(params=["local", "tcp"])
def url(request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a server to come, once for Unix sockets and once for TCP."""
    if request.param == "local":
        return f"local://{folder}/socket"
    port: int = request.getfixturevalue("free_port")
    return f"tcp://127.0.0.1:{port}"
