"""Traffic over a broker that something happens to, and what has to be true of it in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from communica_like import Limits, RmqConnector, RouteClient, RouteTable
from communica_like.testing.conformance import meeting_of
from communica_like.testing.conformance.processes.stage import Stage
from tests.rmq_broker import PrivateBroker

__all__ = ["disturbed"]

# A broker takes its time to start again.
LIMITS = Limits(heartbeat=2.0, resume_window=60.0)


async def work(client: RouteClient, numbers: range, done: list[int]) -> None:
    """Make a throw and a request of each number."""

    async def ask(number: int) -> None:
        assert await client.request("work", ["it", number]) == number + 1
        done.append(number)

    for start in range(numbers.start, numbers.stop, 50):
        some = range(start, min(start + 50, numbers.stop))
        for number in some:
            await client.throw("journal", ["thrown", number])
        await asyncio.gather(*map(ask, some))


async def disturbed(broker: PrivateBroker, disturbances: list[Callable[[], object]], each: int) -> None:
    """Work, each time with a disturbance in the middle; see that all was handled once."""
    thrown: list[int] = []
    table = RouteTable()
    table.add_route("thrown", thrown.append)
    meeting = meeting_of(RmqConnector(broker.url, "chaos"))
    async with Stage(meeting, LIMITS) as stage:
        async with stage.client(table) as client:
            flooding = asyncio.ensure_future(client.request("flood", len(disturbances) * each))
            begun = 0
            for disturb in disturbances:
                done: list[int] = []
                working = asyncio.ensure_future(work(client, range(begun, begun + each), done))
                while not working.done() and len(done) < each // 4:
                    await asyncio.sleep(0.001)
                assert not working.done(), "it is disturbed while there is work"
                await asyncio.to_thread(disturb)
                await asyncio.wait_for(working, 60)
                begun += each
            await asyncio.wait_for(flooding, 30)
            numbers = list(range(begun))
            assert sorted(stage.entries("work it")) == numbers, "each request is handled once"
        assert stage.entries("thrown") == numbers, "throws arrive once and in order"
        await stage.stop()
    assert thrown == list(range(1, begun + 1)), "those of the server, too"
    assert await asyncio.to_thread(broker.ours) == [], "nothing is left in the broker"
