"""A pipe of the test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from communica_like.queues import PipeQueue


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "pipe")


@pytest.fixture
def pipe(path: str) -> Iterator[PipeQueue]:
    pipe = PipeQueue(path)
    yield pipe
    pipe.close()


@pytest.fixture
def raw(pipe: PipeQueue) -> Iterator[int]:
    """Both ends of the pipe, as another program has them."""
    descriptor = os.open(pipe.path, os.O_RDWR | os.O_NONBLOCK)
    yield descriptor
    os.close(descriptor)
