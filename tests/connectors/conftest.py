"""Connectors over kernel queues and pipes, with a registry of the test's own; a shared inbox of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from communica_like.abc import Connector
from tests.connectors.kernel.media import NAMES, maker
from tests.private_state import clear, use_private
from tests.rmq_broker import needs_broker

if TYPE_CHECKING:
    from tests.connectors.amqp.inbox.stage import OwnInbox


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = use_private(tmp_path, monkeypatch)
    yield directory
    clear(directory)


@pytest.fixture(params=NAMES)
def connector(request: pytest.FixtureRequest, state: Path) -> Iterator[Connector]:
    with maker(request.param) as make:
        yield make(None)


@pytest.fixture
async def own(request: pytest.FixtureRequest) -> AsyncIterator[OwnInbox]:
    """With ``indirect=True`` its parameter is options of RmqInboxConnector. No connection may be left."""
    from communica_like.connectors.amqp import connection as amqp_connection
    from tests.connectors.amqp.inbox.stage import OwnInbox  # it needs aiormq

    needs_broker()
    async with OwnInbox(**getattr(request, "param", {})) as inbox:
        yield inbox
    assert not amqp_connection._connections.get(asyncio.get_running_loop())
