"""A manager's server, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from communica_like.blocking.manager import QueueManagerClient, QueueManagerServer


@pytest.fixture
def server(folder: str) -> Iterator[QueueManagerServer]:
    with QueueManagerServer(f"{folder}/s", b"key") as server:
        yield server


@pytest.fixture
def client(server: QueueManagerServer) -> Iterator[QueueManagerClient]:
    with QueueManagerClient(server.address, b"key") as client:
        yield client
