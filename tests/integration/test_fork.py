"""A process that forks, and dies while its children live."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from communica_like import Backoff, ConnectionLost, Limits, RouteClient, connector_from
from tests.process import live_processes

from .program import program


def client_of(url: str) -> RouteClient:
    return RouteClient(connector_from(url), backoff=Backoff(initial=0.01, maximum=0.05))


@pytest.mark.parametrize("how", ["fork", "multiprocessing"])
async def test_children_do_not_keep_a_dead_server_alive(url: str, how: str) -> None:
    """Its clients notice at once, and its address is free, though the children live."""
    async with program("any_server", url) as first:
        assert await first.line() == f"serving {url}"
        async with client_of(url) as client:
            children = await client.request(how, 3)
            assert await client.request("pid", None) == first.pid, "forking does the links no harm"
            waiting = asyncio.ensure_future(client.request("wait", 1))
            assert await first.line() == "waiting 1"
            await first.kill()
            with pytest.raises(ConnectionLost):
                await asyncio.wait_for(waiting, Limits().resume_window - 1)
            assert list(live_processes(children)) == children
            async with program("any_server", url) as second:
                assert await second.line() == f"serving {url}"
                assert await asyncio.wait_for(client.request("pid", None), 20) == second.pid
            assert list(live_processes(children)) == children


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
async def test_a_child_that_ends_does_no_harm(url: str, number: signal.Signals) -> None:
    """A signal to a child ends the child, and neither its parent's links nor its parent."""
    async with program("any_server", url) as server:
        assert await server.line() == f"serving {url}"
        async with client_of(url) as client:
            children = await client.request("fork", 3)
            for pid in children:
                os.kill(pid, number)
            async with asyncio.timeout(40):
                while list(live_processes(children)):
                    await asyncio.sleep(0.01)
            assert await client.request("pid", None) == server.pid
            assert client.connected
        async with client_of(url) as newcomer:
            assert await newcomer.request("pid", None) == server.pid
