"""Checks of delivery: exactly once and in order, also over links that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from ...abc import Connector
from ...connectors import TcpConnector
from ...entities import RouteTable
from ...exceptions import ConnectionLost
from ..cutting_proxy import CuttingProxy
from ..faulty import FaultyConnector
from .meeting import QUICK, MakeMeeting, at_most, promised, raises, reaches
from .processes.stage import Stage


@promised
async def check_exactly_once_in_order(make: MakeMeeting) -> None:
    """However often links break, each throw arrives once and in order, both ways, and each request is
    handled once and answered. Where a session ends with its link, none breaks here.
    """
    await _cut_under_load(Stage(make(None), here=True), count=1_500, cuts=25, cut_after=(300, 6_000))


@promised
async def check_exactly_once_between_processes(make: MakeMeeting) -> None:
    """Links that break under load lose, double and reorder nothing, both ways. Where a session ends with its
    link, its requests end with ConnectionLost.
    """
    await _cut_under_load(Stage(make(None)), count=600, cuts=8, cut_after=(1_000, 8_000))


@promised
async def check_many_cuts(make: MakeMeeting) -> None:
    """Links that break 300 times under 60,000 throws each way lose, double and reorder nothing."""
    await _cut_under_load(Stage(make(None)), count=60_000, cuts=300, cut_after=(500, 15_000))


async def _cut_under_load(stage: Stage, *, count: int, cuts: int, cut_after: tuple[int, int]) -> None:
    thrown: list[int] = []
    table = RouteTable()
    table.add_route("thrown", thrown.append)
    async with stage:
        if not stage.meeting.server.guarantees.resumes:
            if not stage.here:
                await _end_with_link(stage)
                return
            cuts = 0
        async with (
            _cut_links(stage, cuts, cut_after) as (connector, cutter),
            stage.client(table, connector) as client,
        ):

            async def ask(number: int) -> None:
                assert await client.request("work", ["check", number]) == number + 1

            async def throw() -> None:
                for number in range(1, count + 1):
                    await client.throw("journal", ["thrown", number])
                    if number % 20 == 0:
                        await asyncio.gather(*map(ask, range(number, number + 10)))

            flood = client.request("flood", count)
            await at_most(60 + count / 100, asyncio.gather(throw(), flood), "all is sent")
            await reaches(lambda: len(thrown) >= count, "all throws of the server arrive")
        assert cutter.cuts == cuts, f"{cutter.cuts} of {cuts} cuts: too little traffic"
        await stage.stop()
        numbers = list(range(1, count + 1))
        assert thrown == numbers, "throws of the server arrive once and in order"
        assert stage.entries("thrown") == numbers, "throws of the client arrive once and in order"
        handled = stage.entries("work check")
        assert len(handled) == len(set(handled)) == count // 20 * 10, "each request is handled once"


@asynccontextmanager
async def _cut_links(
    stage: Stage, cuts: int, cut_after: tuple[int, int]
) -> AsyncIterator[tuple[Connector, CuttingProxy | FaultyConnector]]:
    """Yield a connector of the stage's clients whose links break, and what breaks them.

    A proxy cuts TCP connections between processes; other links are cut at their end in this process.
    """
    connector = stage.connector()
    if isinstance(connector, TcpConnector) and connector.ssl is None and not stage.here:
        target = (connector.host, connector.port)
        async with CuttingProxy(target, seed=3, cut_after=cut_after) as proxy:
            proxy.max_cuts = cuts
            assert isinstance(proxy.address, tuple)
            host, port = proxy.address
            yield replace(connector, host=host, port=port), proxy
    else:
        faulty = FaultyConnector(connector, seed=3, cut_after=cut_after)
        faulty.max_cuts = cuts
        yield faulty, faulty


async def _end_with_link(stage: Stage) -> None:
    faulty = FaultyConnector(stage.connector(), cut_after=(1 << 40, 1 << 40))
    async with stage.client(connector=faulty) as client:
        waiting = asyncio.ensure_future(client.request("wait", "for ever"))
        await stage.reports("started", "for ever", "the request reaches the server")
        faulty.cut()
        with raises(ConnectionLost, "the session ends with its link") as caught:
            await at_most(QUICK.resume_window, waiting, "it never hangs")
        assert caught[0].sent
        await stage.reports("cancelled", "for ever", "the handler is told")


@promised
async def check_throw_keeps_its_word(make: MakeMeeting) -> None:
    """Leaving ``async with`` delivers everything that was thrown, in order, also over links that break."""
    for cuts in (0, 5):
        await _throw_and_leave(make, 3_000, here=True, cuts=cuts)


@promised
async def check_throws_then_leave(make: MakeMeeting) -> None:
    """Leaving ``async with`` delivers everything that was thrown to the other process, in order."""
    await _throw_and_leave(make, 5_000)


@promised
async def check_many_throws(make: MakeMeeting) -> None:
    """Leaving ``async with`` delivers 100,000 throws to the other process, in order."""
    await _throw_and_leave(make, 100_000)


async def _throw_and_leave(make: MakeMeeting, count: int, *, here: bool = False, cuts: int = 0) -> None:
    async with Stage(make(None), drain_timeout=30 + count / 500, here=here) as stage:
        connector = stage.connector()
        if cuts and stage.meeting.server.guarantees.resumes:
            connector = FaultyConnector(connector, seed=2, cut_after=(2_000, 20_000))
            connector.max_cuts = cuts
        async with stage.client(connector=connector) as client:
            for number in range(count):
                await client.throw("journal", ["thrown", number])
        await stage.stop()
        thrown = stage.entries("thrown")
        assert thrown == list(range(count)), f"{len(thrown)} of {count} throws arrive once and in order"
