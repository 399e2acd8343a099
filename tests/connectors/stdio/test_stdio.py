"""A client and its child: what they say to each other, and what does not get between."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from communica_like import SimpleClient, StdioConnector
from communica_like.exceptions import AuthenticationError
from tests.connectors.stdio.stage import PATIENCE, ROOT, WORKER, Stage, lives, soon, staged
from tests.entities.stage import sessions_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipes that an event loop can watch")

MIB = 1024 * 1024


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


# -- talk


async def test_requests_both_ways_and_who_is_there(stage: Stage) -> None:
    client = await stage.client(handler=lambda data: data * 2)
    assert await client.request(["echo", "hello"]) == "hello"
    assert await client.request(["call_back", 21]) == 42
    pid = await client.request(["pid"])
    [peer] = sessions_of(client)
    assert peer.dispatcher.peer is not None
    assert (peer.dispatcher.peer.transport, peer.dispatcher.peer.pid) == ("stdio", pid)
    assert peer.dispatcher.peer.address.endswith("worker_program")
    assert await client.request(["client"]) == ["stdio", os.getpid(), os.getpid()]
    await asyncio.wait_for(client.close(), PATIENCE)
    assert not lives(pid)
    assert b"handled 0\n" in stage.stderr, "it ended in an orderly way"


async def test_large_messages_both_ways(stage: Stage) -> None:
    client = await stage.client()
    up, down = await asyncio.gather(
        client.request(["size", "x" * (64 * MIB)]), client.request(["big", 64 * MIB])
    )
    assert up == 64 * MIB
    assert len(down) == 64 * MIB


async def test_throws_are_handled_before_the_child_ends(stage: Stage) -> None:
    client = await stage.client()
    for number in range(10_000):
        await client.throw(["add", number])
    await asyncio.wait_for(client.close(), PATIENCE)
    assert b"handled 10000\n" in stage.stderr


async def test_authkey(stage: Stage) -> None:
    client = await stage.client("key", authkey=b"key")
    assert await client.request(["echo", 1]) == 1
    with pytest.raises(AuthenticationError):
        await stage.client("key", authkey=b"another")


# -- the standard files of the child


async def test_prints_do_not_harm_the_stream(stage: Stage) -> None:
    client = await stage.client("banner")
    for _ in range(3):
        await client.request(["shout"])
    assert await client.request(["echo", "unharmed"]) == "unharmed"
    await client.close()
    for way in (b"print", b"write", b"a grandchild"):
        assert stage.stderr.count(b"by %s\n" % way) == 4


async def test_stdin_is_null_stdout_is_stderr_and_the_wire_is_private(stage: Stage) -> None:
    client = await stage.client()
    assert await client.request(["ask_user"]) == "end of file"
    assert await client.request(["files"]) == [os.devnull, True, [0, 1, 2]]


async def test_a_process_serves_once(stage: Stage) -> None:
    client = await stage.client()
    assert "serves them once" in await client.request(["listen_again"])
    assert await client.request(["echo", "unharmed"]) == "unharmed"


async def test_stderr_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    connector = StdioConnector(WORKER, cwd=ROOT)
    async with SimpleClient(connector) as client:
        await client.request(["say", "a complaint\n"])
    assert "a complaint\nhandled 0\n" in capfd.readouterr().err


async def test_a_failing_on_stderr_goes_to_the_loop(stage: Stage) -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    connector = StdioConnector([*WORKER, "banner"], cwd=ROOT, on_stderr=lambda data: 1 / 0)
    async with SimpleClient(connector) as client:
        assert await client.request(["echo", 1]) == 1
    assert {str(each["exception"]) for each in failures} == {"division by zero"}


async def test_env_and_cwd(stage: Stage, tmp_path: Path) -> None:
    program = (
        "import asyncio, os, sys; from communica_like import SimpleServer, StdioConnector\n"
        "def handler(_): return [os.getcwd(), os.environ['X'], os.environ.get('HOME')]\n"
        "asyncio.run(SimpleServer(StdioConnector(), handler).run())"
    )
    env = {"X": "y", "PYTHONPATH": str(ROOT)}
    connector = StdioConnector([sys.executable, "-c", program], env=env, cwd=tmp_path)
    async with SimpleClient(connector) as client:
        assert await client.request(None) == [str(tmp_path.resolve()), "y", None]


async def test_a_fork_of_the_child_does_not_hold_the_pipes(stage: Stage) -> None:
    client = await stage.client()
    fork = int(await client.request(["fork"]))
    await asyncio.wait_for(client.close(), PATIENCE / 2)
    await soon(lambda: not lives(fork))  # it was in the child's group


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_fork_of_the_parent_does_not_hold_the_pipes(stage: Stage) -> None:
    client = await stage.client()
    reading, writing = os.pipe()
    fork = os.fork()
    if not fork:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    try:
        assert await client.request(["echo", 1]) == 1
        await asyncio.wait_for(client.close(), PATIENCE / 2)
        assert b"handled 0\n" in stage.stderr
    finally:
        os.close(writing)
        os.close(reading)
        os.waitpid(fork, 0)
