"""Processes that are killed or stopped at either end of links over kernel queues and pipes."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest

from communica_like import Limits
from communica_like.abc import Connector
from communica_like.exceptions import PeerGone
from communica_like.queues import reap
from tests.connectors.actor import MIB, Actor
from tests.connectors.kernel.media import still_there
from tests.connectors.recorder import Recorder, eventually, serving
from tests.private_state import entries_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has them all")


def queues_of(state: Path) -> list[str]:
    return [each for each in entries_of(state) if not each.startswith("pipe-")]


async def at_once(recorder: Recorder) -> None:
    """The end of the other process is noticed long before any heartbeat."""
    async with asyncio.timeout(Limits().heartbeat - 0.5):
        await recorder.broken.wait()
    assert isinstance(recorder.error, PeerGone)


async def start_over(connector: Connector, state: Path, seen: list[str]) -> None:
    """The next server and client find the address free, and of what was *seen* nothing is left."""
    async with serving(connector) as served:
        link = await connector.connect(near := Recorder())
        link.send(b"hello")
        _, far = await served.link()
        assert await far.until(5) == b"hello"
        link.close()
        await near.until_broken()
        await far.until_broken()
    await eventually(lambda: entries_of(state) == [])
    assert still_there(seen) == []
    assert reap() == []
    assert [each.name for each in state.iterdir() if each.name != "registry.lock"] == []


@pytest.mark.parametrize("mode", ["idle", "flood"])
async def test_client_killed(connector: Connector, state: Path, mode: str) -> None:
    async with serving(connector) as served:
        async with Actor("connect", connector.dump_state(), mode) as client:
            assert await client.line() == "linked"
            link, far = await served.link()
            assert link.peer.pid == client.pid
            if mode == "flood":
                await far.until(MIB)
            seen = queues_of(state)
            await client.kill()
            await at_once(far)
            assert set(far.data) <= {0}
    await start_over(connector, state, seen)


@pytest.mark.parametrize("mode", ["idle", "flood"])
async def test_server_killed(connector: Connector, state: Path, mode: str) -> None:
    async with Actor("serve", connector.dump_state(), mode) as server:
        await server.line()
        link = await connector.connect(near := Recorder())
        assert await server.line() == "linked"
        if mode == "flood":
            await near.until(MIB)
            link.send(bytes(MIB))
        seen = queues_of(state)
        await server.kill()
        await at_once(near)
    await start_over(connector, state, seen)


@pytest.mark.parametrize("first", ["client", pytest.param("server", marks=pytest.mark.chaos)])
async def test_both_killed_while_much_is_on_its_way(connector: Connector, state: Path, first: str) -> None:
    async with Actor("serve", connector.dump_state(), "echo") as server:
        await server.line()
        async with Actor("connect", connector.dump_state(), "flood") as client:
            await client.line()
            await server.line()
            seen = queues_of(state)
            both = [client, server] if first == "client" else [server, client]
            for each in both:
                each.send(signal.SIGKILL)
            for each in both:
                await each.end()
    assert seen
    await start_over(connector, state, seen)


async def test_a_client_that_stands_still_while_the_server_sends(connector: Connector, state: Path) -> None:
    """It does not hold up others, and its end is noticed."""
    async with serving(connector) as served:
        async with Actor("connect", connector.dump_state()) as client:
            await client.line()
            link, far = await served.link()
            await client.stop()
            for _ in range(20):
                began = time.thread_time()
                link.send(bytes(MIB))
                await asyncio.sleep(0)
                assert time.thread_time() - began < 0.2
            assert not link.writable
            other = await connector.connect(near := Recorder())
            _, heard = await served.link(1)
            other.send(b"hello")
            assert await heard.until(5) == b"hello"
            other.close()
            await near.until_broken()
            await client.kill()
            await at_once(far)
    await start_over(connector, state, [])


async def test_a_server_aborts_a_client_that_stands_still(connector: Connector, state: Path) -> None:
    async with serving(connector) as served:
        async with Actor("connect", connector.dump_state()) as client:
            await client.line()
            link, far = await served.link()
            await client.stop()
            link.send(bytes(MIB))
            link.abort()
            await far.until_broken()
            assert far.error is None
            seen = queues_of(state)
            client.send(signal.SIGCONT)
            if connector.scheme != "posixmq":  # there it learns of it only within a second
                assert await client.line() == "broken NoneType"
            await client.kill()
    await start_over(connector, state, seen)


async def test_a_client_dies_between_request_and_answer(connector: Connector, state: Path) -> None:
    async with Actor("serve", connector.dump_state(), "echo") as server:
        await server.line()
        await server.stop()
        async with Actor("connect", connector.dump_state()) as client:
            await client.line()  # its request is in the server's queue
            seen = queues_of(state)
            await client.kill()
        server.send(signal.SIGCONT)
        link = await connector.connect(near := Recorder())
        link.send(b"hello")
        assert await near.until(5) == b"hello"
        await server.kill()
        await at_once(near)
    await start_over(connector, state, seen)


async def test_a_server_dies_between_request_and_answer(connector: Connector, state: Path) -> None:
    async with Actor("serve", connector.dump_state(), "echo") as server:
        await server.line()
        await server.stop()
        link = await connector.connect(near := Recorder())
        link.send(b"hello")
        seen = queues_of(state)
        await server.kill()
        await at_once(near)
    await start_over(connector, state, seen)


async def test_a_client_gives_up_between_request_and_answer(connector: Connector, state: Path) -> None:
    async with Actor("serve", connector.dump_state(), "echo") as server:
        await server.line()
        await server.stop()
        [server_entry] = entries_of(state)
        link = await connector.connect(near := Recorder())
        seen = [each for each in queues_of(state) if each != server_entry]
        link.send(b"hello")
        link.abort()
        await near.until_broken()
        assert near.error is None
        await eventually(lambda: entries_of(state) == [server_entry])
        assert still_there(seen) == []
        server.send(signal.SIGCONT)
        link = await connector.connect(near := Recorder())
        link.send(b"hello")
        assert await near.until(5) == b"hello"
        link.abort()
        await near.until_broken()
