"""StdioConnector by way of another program, as it is with ssh."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from communica_like import ConnectionLost, SimpleClient, StdioConnector
from tests.connectors.stdio.stage import PATIENCE, ROOT, WORKER, lives, soon
from tests.entities.stage import sessions_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipes that an event loop can watch")

REMOTE = [sys.executable, "-m", "tests.connectors.stdio.remote_program"]


@pytest.fixture
async def heard() -> bytearray:
    return bytearray()


@pytest.fixture
async def client(heard: bytearray) -> AsyncIterator[SimpleClient]:
    connector = StdioConnector(
        [*REMOTE, *WORKER, "impatient"], cwd=ROOT, stop_timeout=PATIENCE, on_stderr=heard.extend
    )
    client = await asyncio.wait_for(SimpleClient(connector).init(), PATIENCE)
    yield client
    await client.close(0)


async def test_to_and_fro_and_a_clean_end(client: SimpleClient, heard: bytearray) -> None:
    assert bytes(heard).startswith(b"Welcome to this machine!\n")
    pid = await client.request(["pid"])
    assert await client.request(["size", "x" * 3_000_000]) == 3_000_000
    assert await client.request(["big", 3_000_000]) == "y" * 3_000_000
    for number in range(1_000):
        await client.throw(["add", number])
    await asyncio.wait_for(client.close(), PATIENCE / 2)
    assert b"handled 1000\n" in heard
    assert not lives(pid)


async def test_its_exit_code_comes_through(client: SimpleClient) -> None:
    with pytest.raises(ConnectionLost, match="exit code 7"):
        await asyncio.wait_for(client.request(["exit", 7]), PATIENCE)


@pytest.mark.parametrize("blocked", [False, True])
async def test_the_program_between_is_killed(client: SimpleClient, heard: bytearray, blocked: bool) -> None:
    pid = await client.request(["pid"])
    # Out of the group of the program between, of which the rest is killed when that has ended.
    await client.request(["leave_group"])
    if blocked:
        await client.throw(["say", "blocked"])
        await client.throw(["sleep", 60])
        await soon(lambda: b"blocked" in heard)
    [peer] = sessions_of(client)
    assert peer.dispatcher.peer is not None
    assert peer.dispatcher.peer.pid is not None
    try:
        os.kill(peer.dispatcher.peer.pid, signal.SIGKILL)
        with pytest.raises(ConnectionLost, match="SIGKILL"):
            await asyncio.wait_for(client.request(["wait"]), PATIENCE)
        await soon(lambda: not lives(pid))
    finally:
        if lives(pid):
            os.kill(pid, signal.SIGKILL)
