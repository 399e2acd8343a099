"""A server that dies, stands still, or is already there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from typing import Any

import pytest

from communica_like import Backoff, ConnectionLost, Limits, RouteClient, RouteServer, connector_from
from communica_like.exceptions import AddressInUse
from tests.process import TIMEOUT, AsyncProgram

from .program import program

QUICK = Limits(heartbeat=0.4, resume_window=0.6)
OPTIONS = json.dumps({"limits": {"heartbeat": 0.4, "resume_window": 0.6}})


def client_of(url: str, limits: Limits = QUICK) -> RouteClient:
    return RouteClient(connector_from(url), limits=limits, backoff=Backoff(initial=0.01, maximum=0.05))


async def in_flight(client: RouteClient, server: AsyncProgram, count: int) -> list[asyncio.Task[Any]]:
    """Make requests that do not end, and wait until the server has them."""
    tasks = [asyncio.ensure_future(client.request("wait", number)) for number in range(count)]
    for number in range(count):
        assert await server.line() == f"waiting {number}"
    return tasks


async def all_lost(tasks: list[asyncio.Task[Any]], within: float) -> float:
    """Return how long it took until all ended, as lost and of unknown outcome."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    done, pending = await asyncio.wait(tasks, timeout=within)
    assert not pending, f"{len(pending)} of {len(tasks)} requests have no outcome after {within} s"
    took = loop.time() - began
    for task in done:
        error = task.exception()
        assert isinstance(error, ConnectionLost), repr(error)
        assert (error.sent, error.outcome) == (True, "unknown")
    return took


async def test_killed_with_requests_in_flight(url: str) -> None:
    async with program("any_server", url, OPTIONS) as first:
        await first.line()
        async with client_of(url) as client:
            tasks = await in_flight(client, first, 100)
            again = [
                asyncio.ensure_future(client.request("sleep", 0.3, idempotent=True)) for _ in range(50)
            ]
            for _ in again:
                assert await first.line() == "sleeping"
            await first.kill()
            await all_lost(tasks, within=10.0)
            # What is not idempotent waits for the next server, too, if it was not sent.
            later = asyncio.ensure_future(client.request("echo", "later"))
            async with program("any_server", url, OPTIONS) as second:
                assert await second.line() == f"serving {url}", "what the dead server left is no hindrance"
                assert await asyncio.wait_for(asyncio.gather(*again), 20) == [0.3] * 50
                assert await asyncio.wait_for(later, 20) == "later"
                assert await client.request("pid", None) == second.pid


async def test_stopped_then_killed(url: str) -> None:
    """A server that stands still is given up after heartbeat and resume window."""
    async with program("any_server", url, OPTIONS) as server:
        await server.line()
        async with client_of(url) as client:
            tasks = await in_flight(client, server, 20)
            await server.stop()
            await all_lost(tasks, within=QUICK.heartbeat + QUICK.resume_window + 10.0)
            await server.kill()
        assert client.state == "closed"


@pytest.mark.chaos
@pytest.mark.parametrize("kill", [True, False])
async def test_stopped_with_the_default_limits(url: str, kill: bool) -> None:
    async with program("any_server", url) as server:
        await server.line()
        async with client_of(url, Limits()) as client:
            tasks = await in_flight(client, server, 100)
            await server.stop()
            if kill:
                await asyncio.sleep(1)  # some time between the two is what this is about
                await server.kill()
            defaults = Limits()
            await all_lost(tasks, within=2.0 if kill else defaults.heartbeat + defaults.resume_window + 1)
            await client.close(0)


async def test_stopped_and_continued(url: str) -> None:
    """A server that stood still for longer than the heartbeat, but not than the resume window, goes on
    with the same session.
    """
    options = json.dumps({"limits": {"heartbeat": 0.3, "resume_window": 20.0}})
    async with program("any_server", url, options) as server:
        await server.line()
        async with client_of(url, Limits(heartbeat=0.3, resume_window=20.0)) as client:
            request = asyncio.ensure_future(client.request("sleep", 0.1))
            assert await server.line() == "sleeping"
            await server.stop()
            async with asyncio.timeout(20):
                while client.connected:
                    await asyncio.sleep(0.01)
            await client.throw("count", 0)
            server.send(signal.SIGCONT)
            assert await asyncio.wait_for(request, 20) == 0.1
            assert await asyncio.wait_for(client.request("counted", None), 20) == [1, True]


async def test_a_second_server_is_turned_away(url: str) -> None:
    async with program("any_server", url) as server:
        await server.line()
        async with client_of(url, Limits()) as client:
            assert await client.request("echo", 1) == 1
            with pytest.raises(AddressInUse):
                await RouteServer(connector_from(url)).init()
            async with program("any_server", url) as second:
                assert await second.end() == 1
                assert "AddressInUse" in second.stderr
            assert await client.request("pid", None) == server.pid


async def test_one_of_many_servers_gets_the_address(url: str) -> None:
    """However many start at once on an address that a dead server left behind, one serves it."""
    async with program("any_server", url, OPTIONS) as dead:
        await dead.line()
        await dead.kill()
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(program("any_server", url, OPTIONS)) for _ in range(4)]
        async with asyncio.timeout(TIMEOUT):
            while sum(server.process.poll() is not None for server in servers) < len(servers) - 1:
                await asyncio.sleep(0.01)
        (alive,) = [server for server in servers if server.process.poll() is None]
        assert await alive.line() == f"serving {url}"
        async with client_of(url) as client:
            assert await client.request("pid", None) == alive.pid
