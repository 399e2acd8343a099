"""Checks of kill -9 on either side."""

from __future__ import annotations

import asyncio

from ...exceptions import ConnectionLost, RequestTimeout
from ...wire.limits import Limits
from .meeting import MakeMeeting, Meeting, at_most, promised, raises
from .processes.child import gone
from .processes.stage import Stage

_NOTICE = 8.0  # seconds, where the kernel tells of a process's end at once


def _times(meeting: Meeting, resume_window: float) -> tuple[Limits, float]:
    """Return limits for a meeting, and the seconds within which a death is then noticed."""
    if meeting.server.guarantees.notices_death == "at once":
        # No heartbeat within the check's time: the death must be noticed without one.
        return Limits(heartbeat=30.0, resume_window=resume_window), _NOTICE
    return Limits(heartbeat=0.7, resume_window=0.7), 1.4 + _NOTICE


@promised
async def check_server_killed(make: MakeMeeting) -> None:
    """When the server is killed, requests that were sent end with ConnectionLost, outcome unknown; unsent and
    idempotent requests, and throws, go to the next server at the same address.
    """
    meeting = make(None)
    limits, within = _times(meeting, 30.0)
    async with Stage(meeting, limits, drain_timeout=1.0) as stage, stage.client() as client:
        # Before the server ends.
        asking = [asyncio.ensure_future(client.request("wait", number)) for number in range(5)]
        again = asyncio.ensure_future(client.request("gate", "again", idempotent=True))
        await stage.reports("started", "again", "requests reach the server")
        assert stage.entries("started") == [*range(5), "again"]
        first = stage.pid
        await stage.kill()
        _, pending = await asyncio.wait(asking, timeout=within)
        assert not pending, f"requests to a killed server have an outcome within {within} s"
        for task in asking:
            error = task.exception()
            assert isinstance(error, ConnectionLost), f"ConnectionLost, not {error!r}"
            assert error.sent, "they were sent"
        if not client.connector.reconnects:
            with raises(ConnectionLost, "there is no other server for this client"):
                await at_most(within, client.request("echo", "later"), "it never hangs")
            with raises(ConnectionLost, "nor for what may be sent again"):
                await at_most(within, again, "it never hangs")
            return
        for number in range(10):
            await client.throw("journal", ["thrown", number])
        with raises(RequestTimeout, "no server is there"):
            await client.request("echo", "in vain", timeout=0.05)
        later = asyncio.ensure_future(client.request("echo", "later"))
        await stage.start()
        assert await at_most(10, later, "what was not sent goes to the next server") == "later"
        stage.open_gate()
        assert await at_most(10, again, "what may be sent again goes to the next server") == "again"
        assert await client.request("pid") == stage.pid != first
        assert stage.entries("thrown") == list(range(10)), "throws go to the next server, in order"
        assert len(stage.entries("ended")) == 1


@promised
async def check_client_killed(make: MakeMeeting) -> None:
    """When a client is killed during a request, its handler is cancelled, the server's own request to it ends
    with ConnectionLost, and the server goes on serving. A server that the client started ends.
    """
    meeting = make(None)
    limits, within = _times(meeting, 0.4)
    async with Stage(meeting, limits, drain_timeout=1.0) as stage:
        victim = stage.run_client("wait")
        await stage.reports("started", "client", "the client's request reaches the server")
        await stage.reports("pestered", victim.pid, "the server's request reaches the client")
        victim.kill()
        await stage.reports("cancelled", "client", "its client is gone", within)
        if meeting.starts_server:
            await gone(stage.pid, "a server whose client was killed ends", within)
        else:
            lost = ["client", "ConnectionLost", True]
            await stage.reports("outcome", lost, "the server's request has an outcome", within)
        async with stage.client() as client:
            assert await at_most(10, client.request("echo", "next"), "the next one is served") == "next"


@promised
async def check_killed_leave_nothing(make: MakeMeeting) -> None:
    """After kill -9 of either side, the next start works at the same address, and leaves nothing in the
    system when it has ended normally.
    """
    meeting = make(None)
    limits, _ = _times(meeting, 0.4)
    async with Stage(meeting, limits, drain_timeout=1.0) as stage:
        address = stage.address
        victim = stage.run_client("wait")
        await stage.reports("pestered", victim.pid, "a client comes")
        first = stage.pid
        await stage.kill()
        victim.kill()
        await stage.start()
        assert stage.address == address, "the address is the same"
        victim = stage.run_client("wait")
        await stage.reports("pestered", victim.pid, "the next client is served")
        second = stage.pid
        victim.kill()
        if meeting.starts_server:
            await gone(second, "a server whose client was killed ends")
        else:
            await stage.kill()
        await stage.start()
        async with stage.client() as client:
            promise = "the last client is served by the last server"
            assert await at_most(10, client.request("pid"), promise) == stage.pid
        assert len({first, second, stage.pid}) == 3
        await stage.stop()
    left = meeting.leftovers()
    assert not left, f"nothing is left behind; there is {left}"
