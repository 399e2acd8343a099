from __future__ import annotations

import asyncio
import dataclasses
import logging
import pickle
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest

from communica_like import connector_from
from communica_like.connectors import SysVConnector
from communica_like.queues import SysVMQ
from tests.connectors.actor import MIB
from tests.connectors.kernel.media import still_there
from tests.connectors.recorder import PATIENCE, Recorder, eventually, serving
from tests.private_state import entries_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such queues")


@pytest.fixture
def connector(state: Path) -> SysVConnector:
    return SysVConnector(secrets.randbelow(2**31 - 1) + 1)


@pytest.mark.parametrize("key", [0, -1, 2**31, 1.0, "5", None, True])
def test_no_keys(key: Any) -> None:
    with pytest.raises(ValueError, match="key"):
        SysVConnector(key)


@pytest.mark.parametrize("key", [1, 0x4D2, 2**31 - 1])
def test_values(key: int) -> None:
    connector = SysVConnector(key, b"secret")
    assert connector == SysVConnector(key, b"secret") != SysVConnector(key)
    assert len({connector, SysVConnector(key, b"secret"), SysVConnector(key)}) == 2
    assert "secret" not in repr(connector)
    assert connector.dump_state() == f"sysv://{key}"
    assert connector_from(connector.dump_state(), authkey=b"secret") == connector
    assert pickle.loads(pickle.dumps(connector)) == connector
    assert connector.guarantees.verifies_user
    with pytest.raises(dataclasses.FrozenInstanceError):
        connector.key = 2  # type: ignore[misc]


@pytest.mark.parametrize("text", ["sysv://", "sysv://x", "sysv://-1", "sysv://0", "sysv://²", "sysv://1.0"])
def test_no_urls(text: str) -> None:
    with pytest.raises(ValueError):
        SysVConnector.load_state(text)


def entries_of_queues(state: Path) -> list[str]:
    return [each for each in entries_of(state) if each.startswith("sysvmq")]


async def test_queues_removed_under_a_live_link(
    connector: SysVConnector, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As ipcrm(1) does. Both ends break with the next use, and nothing is raised in the event loop."""
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: raised.append(context))
    async with serving(connector) as served:
        for number, who in enumerate(["near", "far", "blocked"]):
            server_entry = f"sysvmq {connector.key}"
            link = await connector.connect(near := Recorder())
            far_link, far = await served.link(number)
            far_link.send(b"hello")
            await near.until(5)
            if who == "blocked":
                link.send(bytes(MIB))
            for entry in entries_of_queues(state):
                if entry != server_entry:
                    SysVMQ(int(entry.split()[1]), create=False).unlink()
            (far_link if who == "far" else link).send(b"is anybody there?")
            async with asyncio.timeout(PATIENCE):
                await near.broken.wait()
                await far.broken.wait()
            assert near.error is far.error is None
        await eventually(lambda: entries_of_queues(state) == [server_entry])
    assert raised == []
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


async def test_a_rendezvous_queue_removed_under_a_live_server(
    connector: SysVConnector, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes another one."""
    monkeypatch.setattr("communica_like.connectors.kernel.connector._RETRY_DELAY", 0.01)
    async with serving(connector) as served:
        SysVMQ(connector.key, create=False).unlink()
        await eventually(lambda: still_there([f"sysvmq {connector.key}"]))
        await connector.connect(Recorder())
        await served.link()
