"""What was thrown arrives, all of it, in order; a consumer that stands still costs no memory."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from communica_like import Limits, RouteClient, connector_from

from .program import program

MIB = 1024 * 1024


def resident(pid: int) -> int:
    """Return the bytes of memory that a process occupies."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def worked(pid: int) -> float:
    """Return for how many seconds a process has kept a processor busy."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_100_000_throws_then_leave(url: str) -> None:
    async with program("any_server", url) as server:
        await server.line()
        async with program("thrower", url, 100_000, 0, "{}") as thrower:
            await thrower.lines_until("done", timeout=50)
            assert await thrower.end() == 0
            assert thrower.stderr == ""
        async with RouteClient(connector_from(url)) as client:
            assert await client.request("counted", None) == [100_000, True]
        assert server.stderr == ""


async def throw_at_one_that_stands_still(url: str, limits: Limits, seconds: float) -> int:
    """Return by how many bytes the memory of the thrower grew until it stood still for so many seconds."""
    count = 20_000
    size = 20 * limits.outbox // count  # twenty times the outbox
    options = {"heartbeat": limits.heartbeat, "resume_window": limits.resume_window}
    async with program("any_server", url, json.dumps({"limits": options})) as server:
        await server.line()
        text = json.dumps({**options, "outbox": limits.outbox})
        async with program("thrower", url, count, size, text) as thrower:
            # Begin when it runs at full speed, so that what start-up costs is not counted.
            assert await thrower.line() == "throwing"
            while await thrower.line() != f"at {count // 50}":
                pass
            before = resident(thrower.pid)
            await server.stop()
            loop = asyncio.get_running_loop()
            since, before_work = loop.time(), worked(thrower.pid)
            most = before
            while loop.time() - since < seconds:
                most = max(most, resident(thrower.pid))
                if worked(thrower.pid) - before_work > 0.02 * seconds:  # a heartbeat is no work
                    since, before_work = loop.time(), worked(thrower.pid)
                await asyncio.sleep(0.02)
            server.send(signal.SIGCONT)
            await thrower.lines_until("done", timeout=50)
            assert await thrower.end() == 0
        async with RouteClient(connector_from(url)) as client:
            assert await client.request("counted", None) == [count, True]
    return most - before


async def test_a_consumer_that_stands_still(url: str) -> None:
    limits = Limits(outbox=4 * MIB)
    grown = await throw_at_one_that_stands_still(url, limits, seconds=0.5)
    # What waits in the outbox, as long as it waits; small objects and what is being written besides.
    assert grown < limits.outbox + 8 * MIB


@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_a_consumer_that_stands_still_for_longer_than_the_heartbeat(url: str) -> None:
    limits = Limits(outbox=8 * MIB, heartbeat=5.0, resume_window=30.0)
    grown = await throw_at_one_that_stands_still(url, limits, seconds=10)
    assert grown < limits.outbox + 8 * MIB
