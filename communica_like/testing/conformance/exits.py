"""Checks of orderly exits, and of servers that compete for an address."""

from __future__ import annotations

import asyncio
import signal

from ...entities import RouteClient
from ...exceptions import ConnectionLost
from .meeting import MakeMeeting, at_most, promised, raises, reaches
from .processes.stage import Stage


@promised
async def check_stop_by_signal(make: MakeMeeting) -> None:
    """After SIGTERM a server under ``run()`` answers the request in hand, handles throws, rejects new
    requests as not sent, and exits with code 0. So does a client under ``run()``.
    """
    meeting = make(None)
    async with Stage(meeting) as stage:
        async with stage.client() as client:
            handled = asyncio.ensure_future(client.request("gate", "long"))
            await stage.reports("started", "long", "the request reaches the server")
            for number in range(50):
                await client.throw("journal", ["thrown", number])
            stage.terminate()
            with raises(ConnectionLost, "new requests are turned away") as caught:
                await at_most(10, _ask_for_ever(client), "new requests are turned away")
            assert not caught[0].sent, "a request that is turned away was not handled"
            stage.open_gate()
            assert await at_most(10, handled, "the request that is handled is answered") == "long"
            await stage.stopped()
        assert stage.entries("thrown") == list(range(50)), "throws are handled"
        assert "Traceback" not in stage.stderr, stage.stderr
    # The client's own handler never ends: it is cancelled after this time.
    async with Stage(meeting, drain_timeout=0.4) as stage:
        child = stage.run_client("wait")
        await stage.reports("pestered", child.pid, "the client is connected")
        child.send_signal(signal.SIGTERM)
        code = await child.end("a client that is told to stop ends")
        assert code == 0, f"a client ends with exit code 0, not {code}: {stage.stderr}"
        await stage.reports("cancelled", "client", "its handler is cancelled")
        if not meeting.starts_server:
            lost = ["client", "ConnectionLost", True]
            await stage.reports("outcome", lost, "what it was asked has an outcome")
        async with stage.client() as client:
            assert await at_most(10, client.request("echo", "next"), "the next one is served") == "next"
        await stage.stop()
        assert "Traceback" not in stage.stderr, stage.stderr
    left = meeting.leftovers()
    assert not left, f"nothing is left behind; there is {left}"


@promised
async def check_one_server_of_many(make: MakeMeeting) -> None:
    """A second server process is rejected and does not disturb the first; of several that start at once at
    the address of a killed one, exactly one serves.
    """
    async with Stage(make(None)) as stage, stage.client() as client:
        assert await client.request("pid") == stage.pid
        second = stage.run_server()
        assert await second.end("a second server ends") != 0, "a second server is turned away"
        assert "AddressInUse" in stage.stderr, stage.stderr
        assert await at_most(10, client.request("echo", "first"), "the first one serves on") == "first"
        await stage.kill()
        rivals = [stage.run_server() for _ in range(3)]
        await reaches(lambda: sum(rival.ended for rival in rivals) >= 2, "all but one end")
        pid = await at_most(10, client.request("pid"), "one of them serves")
        assert [rival.pid for rival in rivals if not rival.ended] == [pid], "one of them serves"


async def _ask_for_ever(client: RouteClient) -> None:
    while True:
        await client.request("echo", 1)
