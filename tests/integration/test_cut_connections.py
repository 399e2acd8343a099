"""Connections between two processes that are cut all the time: nothing is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from communica_like import Backoff, Limits, LocalConnector, SimpleClient, TcpConnector
from communica_like.testing import CuttingProxy

from .program import program
from .traffic import Party


async def run(url: str, folder: Path, messages: int, cuts: int, cut_after: tuple[int, int]) -> int:
    each = messages // 2
    party = Party(seed=2)
    target: tuple[str, int] | str
    if url.startswith("local:"):
        target, listen = url.removeprefix("local://"), f"{folder}/proxy"
    else:
        target, listen = ("127.0.0.1", int(url.rpartition(":")[2])), None
    async with program("traffic_server", url, each) as server:
        assert await server.line() == "serving"
        proxy = CuttingProxy(target, listen=listen or ("127.0.0.1", 0), seed=3, cut_after=cut_after)
        proxy.max_cuts = cuts
        async with proxy:
            connector: LocalConnector | TcpConnector
            if isinstance(proxy.address, str):
                connector = LocalConnector(proxy.address)
            else:
                connector = TcpConnector(*proxy.address)
            client = SimpleClient(
                connector,
                party.handle,
                limits=Limits(heartbeat=5.0, resume_window=20.0),
                backoff=Backoff(initial=0.001, maximum=0.01),
            )
            async with client:
                await party.send(each, client.request, client.throw)
                assert await server.line(timeout=300) == "sent"
                numbers = list(range(each // 2))
                async with asyncio.timeout(20):
                    while len(party.caught) < len(numbers):
                        await asyncio.sleep(0.01)
                report = await client.request(["report"])
            assert party.caught == numbers, "throws arrive once and in order"
            assert sorted(party.handled) == numbers, "each request is handled once"
            assert (party.sent, party.answered) == (len(numbers), len(numbers))
            assert report == {
                "caught": True, "handled": True, "sent": len(numbers), "answered": len(numbers)
            }
            return proxy.cuts


async def test_20_cuts(url: str, folder: Path) -> None:
    assert await run(url, folder, 4_000, 20, (500, 15_000)) == 20


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_300_cuts(url: str, folder: Path) -> None:
    assert await run(url, folder, 60_000, 300, (500, 15_000)) == 300
