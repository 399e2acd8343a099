"""Everything at once, in virtual time: cuts, stalls, restarts, timeouts, cancellations, small and large."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from communica_like import (
    Backoff,
    ConnectionLost,
    Limits,
    MemoryConnector,
    RequestTimeout,
    SimpleClient,
    SimpleServer,
)
from communica_like.testing import FaultyConnector, run_with_virtual_clock
from tests.entities.stage import sessions_of

KIB = 1024
LIMITS = Limits(
    chunk=1 * KIB,
    window=128 * KIB,
    replay=8 * KIB,
    outbox=16 * KIB,
    bulk_in_flight=4 * KIB,
    max_message=64 * KIB,
    heartbeat=1.0,
    resume_window=2.0,
)
REQUESTS = 600


class Storm:
    """One storm; the same seed gives the same one."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.memory = MemoryConnector()
        self.faulty = FaultyConnector(self.memory, seed=seed, cut_after=(200, 20_000))
        backoff = Backoff(initial=0.01, maximum=0.1, jitter=0.0)
        self.client = SimpleClient(self.faulty, limits=LIMITS, backoff=backoff)
        self.running = 0
        self.caught: list[int] = []
        self.thrown = 0

    async def handle(self, data: list[Any]) -> Any:
        self.running += 1
        try:
            kind, number, _ = data
            if kind == "throw":
                self.caught.append(number)
            elif number % 3 == 0:
                await asyncio.sleep(self.random.random() / 2)
            return data
        finally:
            self.running -= 1

    async def serve(self) -> SimpleServer:
        drain_timeout = self.random.choice([0.1, 5.0])
        return await SimpleServer(self.memory, self.handle, limits=LIMITS, drain_timeout=drain_timeout).init()

    async def ask(self, number: int) -> None:
        data = ["ask", number, "x" * self.random.choice([10, 10, 10, 500, 3_000, 20_000])]
        timeout = self.random.choice([None, None, 0.01, 0.3, 2.0])
        idempotent = self.random.random() < 0.5
        outcome = ""
        try:
            assert await self.client.request(data, timeout=timeout, idempotent=idempotent) == data
        except RequestTimeout:
            assert timeout is not None
        except ConnectionLost as exc:
            outcome = exc.outcome
        # A server that is closing turns requests away, as not sent; else it goes to the next server.
        assert not idempotent or outcome != "unknown"

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        chance = self.random.random
        server = await self.serve()
        await self.client.init()
        tasks = []
        for number in range(REQUESTS):
            tasks.append(asyncio.ensure_future(self.ask(number)))
            if chance() < 0.2:
                loop.call_later(chance() / 2, tasks[-1].cancel)
            if chance() < 0.5:
                await self.client.throw(["throw", self.thrown, "y" * self.random.choice([5, 5, 2_000])])
                self.thrown += 1
            if chance() < 0.3:
                await asyncio.sleep(chance() / 20)
            if chance() < 0.01:
                self.faulty.stall()
                loop.call_later(chance() * 4, self.faulty.resume)
            if chance() < 0.008:
                await server.close(self.random.choice([0.0, None]))
                if chance() < 0.5:
                    await asyncio.sleep(chance() * 4)
                server = await self.serve()
        self.faulty.resume()
        _, pending = await asyncio.wait(tasks, timeout=60)
        assert not pending, f"{len(pending)} requests have no outcome"
        for task in tasks:
            if not task.cancelled():
                task.result()
        self.faulty.cutting = False
        assert await self.client.request(["ask", 1, ""], timeout=20) == ["ask", 1, ""]
        await asyncio.sleep(5)
        self.check_nothing_is_left(server)
        await self.client.close()
        await server.close()
        self.check_throws()

    def check_nothing_is_left(self, server: SimpleServer) -> None:
        assert self.running == 0, "every handler has ended"
        for peer in (*sessions_of(self.client), *sessions_of(server)):
            session = peer.session
            assert not session.pending
            assert not session._deadlines
            assert not session._idempotent
            assert session.buffered == session.bulk_buffered == 0

    def check_throws(self) -> None:
        # Those that a server did not acknowledge before it died go to the next one, too.
        first = list(dict.fromkeys(self.caught))
        assert first == list(range(self.thrown)), "no throw is lost, and they arrive in order"


@pytest.mark.parametrize("seed", range(8))
def test_storm(seed: int) -> None:
    run_with_virtual_clock(Storm(seed).run())


@pytest.mark.chaos
@pytest.mark.parametrize("first", range(100, 220, 20))
def test_many_storms(first: int) -> None:
    for seed in range(first, first + 20):
        run_with_virtual_clock(Storm(seed).run())
