"""How a child of StdioConnector ends, who hears of it, and that nothing is left."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from communica_like import Closed, ConnectionLost, Limits, SimpleClient, StdioConnector
from communica_like.exceptions import PeerGone
from tests.connectors.recorder import Recorder
from tests.connectors.stdio.stage import PATIENCE, ROOT, Stage, lives, soon, staged, worker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipes that an event loop can watch")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


# -- by itself


@pytest.mark.parametrize(
    "order, found",
    [(["exit", 3], "ended with exit code 3"), (["kill", signal.SIGKILL], "was killed by SIGKILL")],
)
async def test_its_death_ends_requests_with_its_exit_code_and_stderr(
    stage: Stage, order: list[object], found: str
) -> None:
    client = await stage.client()
    pid = await client.request(["pid"])
    waiting = [asyncio.create_task(client.request(["wait"])) for _ in range(3)]
    again = asyncio.create_task(client.request(["wait"], idempotent=True))
    await client.request(["say", "something is wrong\nvery wrong\n"])
    with pytest.raises(ConnectionLost) as caught:
        await asyncio.wait_for(client.request(order), PATIENCE)
    for task in (*waiting, again):
        with pytest.raises(ConnectionLost) as other:
            await asyncio.wait_for(task, PATIENCE)
        assert other.value.sent
        assert other.value.message == caught.value.message
    assert f"(pid {pid}) {found}" in caught.value.message
    assert "its stderr ends with:\nsomething is wrong\nvery wrong\n" in caught.value.message
    # And so do later calls.
    for call in (client.request, client.throw):
        with pytest.raises(ConnectionLost) as later:
            await asyncio.wait_for(call(["echo", 1]), PATIENCE)
        assert not later.value.sent
        assert later.value.message == caught.value.message
    assert not client.connected
    assert not os.path.exists(f"/proc/{pid}"), "it was reaped"


async def test_run_of_the_client_ends_with_the_child(stage: Stage) -> None:
    client = SimpleClient(stage.connector())
    running = asyncio.create_task(client.run())
    await soon(lambda: client.connected)
    await client.throw(["exit", 4])
    with pytest.raises(ConnectionLost, match="exit code 4"):
        await asyncio.wait_for(running, PATIENCE)
    assert client.state == "closed"


async def test_the_last_answers_arrive(stage: Stage) -> None:
    client = await stage.client()
    asking = [asyncio.create_task(client.request(["big", 20_000])) for _ in range(50)]
    await asyncio.sleep(0)
    with pytest.raises((ConnectionLost, Closed)):
        await asyncio.wait_for(client.request(["exit", 0]), PATIENCE)
    await asyncio.wait(asking, timeout=PATIENCE)
    outcomes = [task.exception() for task in asking]
    first_lost = [isinstance(each, ConnectionLost) for each in outcomes].index(True) if any(outcomes) else 50
    assert not any(outcomes[:first_lost])
    assert all(outcomes[first_lost:])


async def test_a_server_that_closes_says_so(stage: Stage) -> None:
    client = await stage.client()
    pid = await client.request(["pid"])
    await client.throw(["stop"])
    await soon(lambda: not client.connected)
    with pytest.raises(ConnectionLost, match="the other side ended the session: SimpleServer closed"):
        await asyncio.wait_for(client.request(["wait"]), PATIENCE)
    await asyncio.wait_for(client.close(), PATIENCE)
    assert not os.path.exists(f"/proc/{pid}")
    assert b"handled 0\n" in stage.stderr


CLOSES = (
    "import os, signal\n"
    "from communica_like.connectors.stdio.preface import OPENING\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "os.write(1, OPENING + b'ready')\n"
    "os.close({which})\n"
    "os.write(2, b'closed')\n"
    "while True: signal.pause()\n"
)


@pytest.mark.parametrize("which, found", [(0, "closed its stdin"), (1, "closed its stdout")])
async def test_a_child_that_closes_a_pipe_and_runs_on(stage: Stage, which: int, found: str) -> None:
    program = CLOSES.format(which=which)
    connector = StdioConnector(
        [sys.executable, "-c", program], cwd=ROOT, stop_timeout=0.1, on_stderr=stage.on_stderr
    )
    link = await connector.connect(near := Recorder())
    await near.until(5)
    await soon(lambda: stage.stderr == b"closed")
    link.send(b"x")
    link.send(b"x")
    await near.until_broken()
    assert isinstance(near.error, PeerGone)
    assert f"{found}, and runs on" in str(near.error)
    assert near.data == b"ready"
    await soon(lambda: not os.path.exists(f"/proc/{link.peer.pid}"))


async def test_a_heartbeat_that_stays_away(stage: Stage) -> None:
    client = SimpleClient(stage.connector(), limits=Limits(heartbeat=1.0))
    stage.clients.append(client)
    await client.init()
    pid = await client.request(["pid"])
    with pytest.raises(ConnectionLost, match=r"there is no other one: silent for \d+\.\d s"):
        await asyncio.wait_for(client.request(["sleep", 60]), PATIENCE)
    await soon(lambda: not lives(pid))


# -- by close()


async def test_a_child_that_ends_only_by_sigterm_or_sigkill(stage: Stage) -> None:
    for deaf in (False, True):
        client = await stage.client(stop_timeout=0.2)
        pid = await client.request(["pid"])
        if deaf:
            await client.request(["deaf"])
        await client.throw(["sleep", 60])
        await client.close(0.01)  # it has no time for delivery, and the child all of its time
        await soon(lambda pid=pid: not os.path.exists(f"/proc/{pid}"))  # type: ignore[misc]


async def test_close_waits_for_the_whole_escalation(stage: Stage) -> None:
    client = await stage.client(stop_timeout=0.3)
    pid = await client.request(["pid"])
    await client.request(["deaf"])
    asking = asyncio.create_task(client.request(["sleep", 60]))
    await asyncio.sleep(0)
    began = asyncio.get_running_loop().time()
    await asyncio.wait_for(client.close(0.1), PATIENCE)
    took = asyncio.get_running_loop().time() - began
    assert not os.path.exists(f"/proc/{pid}")
    assert 0.6 <= took < 10, "two waits of 0.3 s"
    with pytest.raises(Closed):
        await asking


async def test_a_handler_has_time_to_end(stage: Stage) -> None:
    client = await stage.client()
    await client.throw(["sleep", 0.5])
    await client.throw(["add", 1])
    await asyncio.wait_for(client.close(), PATIENCE)
    assert b"handled 1\n" in stage.stderr


@pytest.mark.parametrize("option", ["hold", "hold-out"])
async def test_a_grandchild_that_holds_the_pipes(stage: Stage, option: str) -> None:
    client = await stage.client(option, stop_timeout=0.3)
    holder = await stage.holder()
    pid = await client.request(["pid"])
    try:
        await asyncio.wait_for(client.close(), PATIENCE)
        assert not os.path.exists(f"/proc/{pid}")
        if option == "hold":
            await soon(lambda: not lives(holder))
        else:
            assert lives(holder), "it has left the group"
    finally:
        if option == "hold-out":
            os.kill(holder, signal.SIGKILL)


@pytest.mark.parametrize("option", ["hold", "hold-out"])
async def test_a_grandchild_does_not_hide_the_death(stage: Stage, option: str) -> None:
    client = await stage.client(option)
    holder = await stage.holder()
    try:
        began = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionLost, match="exit code 3"):
            await asyncio.wait_for(client.request(["exit", 3]), PATIENCE)
        assert asyncio.get_running_loop().time() - began < 5
        await asyncio.wait_for(client.close(), PATIENCE)
    finally:
        if option == "hold-out":
            os.kill(holder, signal.SIGKILL)
    await soon(lambda: not lives(holder))


async def test_a_grandchild_of_a_handler_ends_with_the_child(stage: Stage) -> None:
    client = await stage.client()
    pid = await client.request(["hold", False])
    assert lives(pid)
    await asyncio.wait_for(client.close(), PATIENCE / 2)
    await soon(lambda: not lives(pid))


async def test_a_cancelled_close_kills(stage: Stage) -> None:
    client = await stage.client()
    pid = await client.request(["pid"])
    await client.request(["deaf"])
    await client.throw(["sleep", 60])
    closing = asyncio.create_task(client.close())
    await soon(lambda: client.state == "closing")
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(closing, PATIENCE / 2)
    await soon(lambda: not os.path.exists(f"/proc/{pid}"))


# -- with the event loop, and with nothing left


def test_the_child_ends_with_the_loop() -> None:
    pids = []

    async def main() -> None:
        client = SimpleClient(worker())
        await client.init()
        pids.append(await client.request(["pid"]))
        await client.request(["deaf"])
        await client.throw(["sleep", 60])

    asyncio.run(main())
    assert not os.path.exists(f"/proc/{pids[0]}")


async def test_nothing_is_left_of_many_children(stage: Stage) -> None:
    await (await stage.client()).close()
    gc.collect()
    descriptors = set(os.listdir("/proc/self/fd"))
    tasks = asyncio.all_tasks()
    pids = []
    for number in range(6):
        client = await stage.client(stop_timeout=PATIENCE)
        pids.append(await client.request(["pid"]))
        if number % 3 == 0:
            with pytest.raises(ConnectionLost):
                await client.request(["exit", 0])
        elif number % 3 == 1:
            with pytest.raises(ConnectionLost):
                await client.request(["kill", signal.SIGKILL])
        await client.close()
    assert set(os.listdir("/proc/self/fd")) <= descriptors
    assert asyncio.all_tasks() == tasks
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
