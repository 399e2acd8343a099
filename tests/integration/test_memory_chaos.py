"""Links in memory that break all the time: nothing is lost, doubled or out of order."""

from __future__ import annotations

import asyncio

import pytest

from communica_like import Backoff, Limits, MemoryConnector, SimpleClient, SimpleServer
from communica_like.testing import FaultyConnector

from .traffic import Party

KIB = 1024
TIGHT = Limits(
    chunk=1 * KIB,
    window=128 * KIB,
    replay=8 * KIB,
    outbox=16 * KIB,
    bulk_in_flight=4 * KIB,
    max_message=64 * KIB,
)


async def run(messages: int, cuts: int, limits: Limits, cut_after: tuple[int, int], seed: int) -> int:
    memory = MemoryConnector()
    faulty = FaultyConnector(memory, seed=seed, cut_after=cut_after)
    faulty.max_cuts = cuts
    at_server, at_client = Party(seed + 1), Party(seed + 2)
    async with SimpleServer(memory, at_server.handle, limits=limits) as server:
        backoff = Backoff(initial=0.0005, maximum=0.001)
        async with SimpleClient(faulty, at_client.handle, limits=limits, backoff=backoff) as client:
            await asyncio.gather(
                at_client.send(messages // 2, client.request, client.throw),
                at_server.send(
                    messages // 2,
                    lambda data: server.request(data, client_id=client.client_id),
                    lambda data: server.throw(data, client_id=client.client_id),
                ),
            )
    at_server.check_all_came(at_client, messages // 2)
    at_client.check_all_came(at_server, messages // 2)
    return faulty.cuts


@pytest.mark.parametrize("limits", [Limits(), TIGHT], ids=["default", "tight"])
async def test_300_cuts_during_6000_messages(limits: Limits) -> None:
    assert await run(6_000, 300, limits, (300, 6_000), seed=1) == 300


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("limits", [Limits(), TIGHT], ids=["default", "tight"])
async def test_10_000_cuts_during_200_000_messages(limits: Limits) -> None:
    assert await run(200_000, 10_000, limits, (300, 7_000), seed=2) == 10_000
