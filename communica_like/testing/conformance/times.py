"""Checks of time limits and cancellation."""

from __future__ import annotations

import asyncio
import time

from ...entities import Context, RouteTable
from ...exceptions import RequestTimeout
from .meeting import SHORT, MakeMeeting, at_most, promised, raises, reaches
from .processes.stage import Stage


@promised
async def check_deadlines_and_cancellation_travel(make: MakeMeeting) -> None:
    """A timeout ends the request and its handler in time; cancelling the request cancels the handler. The
    handler knows the time that is left, and a request nested in it has no more.
    """
    await _limit(Stage(make(None), here=True))


@promised
async def check_times_between_processes(make: MakeMeeting) -> None:
    """A time limit or a cancellation ends the handler in the other process. The handler knows the time that
    is left, and a request nested in it has no more. A handler that blocks delays only the server.
    """
    await _limit(Stage(make(None)))


async def _limit(stage: Stage) -> None:
    seen: list[float | None] = []
    cancelled: list[str] = []

    async def wait(name: str, context: Context) -> None:
        seen.append(context.remaining)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    table = RouteTable()
    table.add_route("wait", wait)
    async with stage, stage.client(table) as client:
        timed = [("wait", "timed"), ("call back", ["wait", "nested"])]
        for limit in SHORT:
            began = time.monotonic()
            for task in [asyncio.ensure_future(client.request(*call, timeout=limit)) for call in timed]:
                with raises(RequestTimeout, "a time limit ends the request"):
                    await at_most(limit + 10, task, "a time limit ends the request")
            took = time.monotonic() - began
            assert 0.8 * limit < took < limit + 5.0, f"a time limit of {limit} s took {took:.2f} s"
            if stage.entries("started") and seen:
                break
        await stage.reports("cancelled", "timed", "a time limit cancels the handler")
        await reaches(lambda: "nested" in cancelled, "and the one that is nested in it")
        for left in (*stage.entries("remaining"), *seen):
            assert left is not None, "the time that is left travels along"
            assert 0.0 <= left <= limit, f"{left} s of {limit} s are left"
        asking = asyncio.ensure_future(client.request("wait", "given up"))
        await stage.reports("started", "given up", "the request reaches the server")
        asking.cancel()
        await stage.reports("cancelled", "given up", "a cancellation cancels the handler")
        assert stage.entries("remaining")[-1] is None, "without a time limit there is none"
        if stage.here:
            return
        blocking = asyncio.ensure_future(client.request("block"))
        await stage.reports("started", "block", "the request reaches the server")
        with raises(RequestTimeout, "a time limit is kept while the server is busy"):
            await client.request("echo", 1, timeout=0.05)
        stage.open_gate()
        assert await at_most(10, blocking, "the server goes on") == "blocked"
