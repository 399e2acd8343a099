"""How a child of StdioConnector starts, or does not, and starts again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from communica_like import Backoff, ConnectionLost, SimpleClient, StdioConnector
from communica_like.exceptions import ConnectTimeout, LinkError, PeerGone
from tests.connectors.recorder import Recorder
from tests.connectors.stdio.stage import PATIENCE, ROOT, Stage, lives, soon, staged

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipes that an event loop can watch")

QUICK = Backoff(initial=0.001, maximum=0.01)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


def children() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return set(map(int, file.read().split()))


# -- not


async def test_a_child_that_fails_before_it_serves(stage: Stage) -> None:
    with pytest.raises(LinkError) as caught:
        await stage.client("crash")
    assert "ended with exit code 1; its stderr ends with:\nTraceback" in str(caught.value)
    assert "RuntimeError: cannot import it" in str(caught.value)
    assert isinstance(caught.value.__cause__, PeerGone)
    assert b"RuntimeError: cannot import it" in stage.stderr


async def test_requests_that_waited_for_a_child_that_fails(stage: Stage) -> None:
    client = await SimpleClient(stage.connector("crash")).init(wait=False)
    with pytest.raises(ConnectionLost, match="exit code 1") as caught:
        await asyncio.wait_for(client.request(1), PATIENCE)
    assert not caught.value.sent
    with pytest.raises(LinkError, match="exit code 1"):
        await client.request(2)
    await client.close()


@pytest.mark.parametrize(
    "command, found",
    [
        ("cat", "no entity on a StdioConnector.*: it echoes what it is sent"),
        ("yes", r"no entity on a StdioConnector.*: it wrote 'y\\ny\\n"),
        ("echo hello", r"ended with exit code 0; .* wrote to stdout 'hello\\n'"),
        ("true", "ended with exit code 0; it wrote nothing to stderr$"),
        ("head -c 50000 /dev/urandom", "ended with exit code 0; .* wrote to stdout"),
        ("ls /no/such/file", "ended with exit code 2; its stderr ends with:\n.*No such file"),
    ],
)
async def test_a_program_that_is_no_entity(command: str, found: str) -> None:
    before = children()  # multiprocessing may have some of its own
    connector = StdioConnector(command, on_stderr=lambda data: None)
    with pytest.raises(LinkError, match=found) as caught:
        await asyncio.wait_for(SimpleClient(connector).init(), PATIENCE / 2)
    assert len(str(caught.value)) < 2_000
    assert children() <= before


async def test_garbage_after_the_opening() -> None:
    program = (
        "import os; from communica_like.connectors.stdio.preface import OPENING\n"
        "os.write(1, OPENING + bytes(range(256))); input()"
    )
    before = children()
    with pytest.raises(Exception) as caught:
        connector = StdioConnector([sys.executable, "-c", program], cwd=ROOT)
        await asyncio.wait_for(SimpleClient(connector).init(), PATIENCE / 2)
    assert type(caught.value).__name__ == "RemoteProtocolError"
    await soon(lambda: children() <= before)


async def test_an_opening_in_pieces_and_what_came_before() -> None:
    program = (
        "import os, sys; from communica_like.connectors.stdio.preface import OPENING\n"
        "for byte in b'hello' + OPENING + b'wire':\n"
        "    os.write(1, bytes([byte])); sys.stdin.read(1)\n"
    )
    heard: list[bytes] = []
    connector = StdioConnector([sys.executable, "-c", program], cwd=ROOT, on_stderr=heard.append)
    link = await connector.connect(near := Recorder())
    link.send(b"x" * 100)
    assert await near.until(4) == b"wire"
    await near.until_broken()
    assert heard == [b"hello"]
    assert "exit code 0" in str(near.error)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 10, 100])
async def test_cancelled_init_leaves_no_child(turns: int) -> None:
    before = children()
    starting = asyncio.create_task(SimpleClient(StdioConnector("sleep 100")).init())
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await soon(lambda: children() <= before)


async def test_a_child_that_is_silent() -> None:
    before = children()
    client = SimpleClient(StdioConnector("sleep 100"), handshake_timeout=0.05)
    with pytest.raises(LinkError, match=r"no answer from stdio://sleep%20100 within 0.05 s"):
        await asyncio.wait_for(client.init(), PATIENCE)
    client = SimpleClient(StdioConnector("sleep 100"))
    with pytest.raises(ConnectTimeout):
        await asyncio.wait_for(client.init(0.05), PATIENCE)
    await soon(lambda: children() <= before)


# -- again


async def test_without_restart_the_same_client_may_be_started_again(stage: Stage) -> None:
    client = await stage.client()
    with pytest.raises(ConnectionLost):
        await client.request(["exit", 0])
    await client.close()
    await client.init()
    assert await client.request(["echo", 1]) == 1


async def test_restart(stage: Stage) -> None:
    client = SimpleClient(stage.connector(restart=True), backoff=QUICK)
    stage.clients.append(client)
    await client.init()
    pids = [await client.request(["pid"])]
    for order in (["exit", 3], ["kill", signal.SIGKILL], ["exit", 0]):
        again = asyncio.create_task(client.request(["pid"], idempotent=True))
        with pytest.raises(ConnectionLost, match=r"exit code|SIGKILL") as caught:
            await asyncio.wait_for(client.request(order), PATIENCE)
        assert caught.value.sent
        await asyncio.wait_for(again, PATIENCE)
        pids.append(await asyncio.wait_for(client.request(["pid"]), PATIENCE))
    assert len(set(pids)) == 4
    # What was not accepted goes to the next child.
    await client.request(["say", "about to sleep"])
    os.kill(pids[-1], signal.SIGSTOP)
    for _ in range(100):
        await client.throw(["add", 1])
    lost = asyncio.create_task(client.request(["echo", 1]))
    again = asyncio.create_task(client.request(["echo", 2], idempotent=True))
    await asyncio.sleep(0)
    os.kill(pids[-1], signal.SIGKILL)
    with pytest.raises(ConnectionLost, match="SIGKILL"):
        await asyncio.wait_for(lost, PATIENCE)
    assert await asyncio.wait_for(again, PATIENCE) == 2
    stage.stderr = b""
    await asyncio.wait_for(client.close(), PATIENCE)
    assert b"handled 100\n" in stage.stderr
    assert not any(map(lives, pids))


async def test_restart_goes_on_trying(stage: Stage) -> None:
    before = children()
    client = SimpleClient(stage.connector("crash", restart=True), backoff=QUICK)
    for timeout in (1.0, 5.0, 25.0):  # on a busy machine it takes its time to crash twice
        with pytest.raises(ConnectTimeout) as caught:
            await client.init(timeout)
        if stage.stderr.count(b"RuntimeError") > 1:
            break
        stage.stderr = b""
    assert re.search("no connection to stdio:.*exit code 1", str(caught.value))
    assert stage.stderr.count(b"RuntimeError") > 1
    await soon(lambda: children() <= before)
