"""A shared inbox with several server processes, one of which is killed."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from communica_like import RouteClient
from tests.connectors.amqp.inbox.crowd import Crowd
from tests.connectors.amqp.inbox.stage import OwnInbox
from tests.rmq_broker import needs_broker


async def work(
    crowd: Crowd, client: RouteClient, all_numbers: range, *, kill: bool
) -> tuple[Counter[int], int]:
    """Make requests, 64 at a time, *kill* a server midway; return who answered, and the killed one."""
    answers: Counter[int] = Counter()
    numbers = iter(all_numbers)
    killed = 0

    async def ask() -> None:
        nonlocal killed
        for number in numbers:
            if kill and number == all_numbers[len(all_numbers) // 2]:
                killed = crowd.kill_one()
            answers[await client.request("request", number, timeout=60)] += 1

    while len(answers) < len(crowd.programs):  # one that is killed has answered something
        answers[await client.request("request", next(numbers), timeout=60)] += 1
    await asyncio.gather(*(ask() for _ in range(64)))
    assert answers.total() == len(all_numbers), "all requests end"
    assert crowd.handled("request").keys() >= set(all_numbers)
    return answers, killed


async def test_a_server_that_is_killed(tmp_path: Path) -> None:
    needs_broker()
    async with OwnInbox(prefetch=4) as own, RouteClient(own.connector) as client:
        async with Crowd(own.connector, 2, tmp_path / "journal", 0.002) as crowd:
            answers, killed = await work(crowd, client, range(500), kill=True)
        assert len(answers) == 2
        assert answers[killed] < 400
        assert await own.ready(own.dead) == 0


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_four_servers_share_the_work(tmp_path: Path) -> None:
    needs_broker()
    async with OwnInbox() as own, RouteClient(own.connector) as client:
        async with Crowd(own.connector, 4, tmp_path / "journal") as crowd:
            before, _ = await work(crowd, client, range(20_000), kill=False)
            shares = {pid: round(count / 20_000, 3) for pid, count in before.items()}
            assert len(shares) == 4
            assert all(0.15 <= share <= 0.35 for share in shares.values()), shares
            after, killed = await work(crowd, client, range(20_000, 40_000), kill=True)
            assert after[killed] < 10_000
            assert await own.ready(own.dead) == 0
