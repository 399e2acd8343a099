"""Connectors over kernel queues and pipes, with a ledger of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from communica_like.abc import Connector
from tests.connectors.kernel_media import NAMES, maker
from tests.private_state import clear, keep_private


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = keep_private(tmp_path, monkeypatch)
    yield directory
    clear(directory)


@pytest.fixture(params=NAMES)
def connector(request: pytest.FixtureRequest, state: Path) -> Iterator[Connector]:
    with maker(request.param) as make:
        yield make(None)
