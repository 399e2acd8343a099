"""A full outbox: who waits keeps the place in the queue, and is told when there is nothing to wait for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from communica_like import (
    ConnectionLost,
    Limits,
    MemoryConnector,
    MessageTooBig,
    RequestTimeout,
    SimpleClient,
    SimpleServer,
)
from communica_like.testing import FaultyConnector, run_with_virtual_clock

LIMITS = Limits(
    chunk=1024,
    window=80 * 1024,
    replay=4 * 1024,
    outbox=4 * 1024,
    bulk_in_flight=2048,
    max_message=64 * 1024,
    resume_window=1.0,
)
SMALL, LARGE, HUGE = 300, 5_000, 50_000


class Numbers:
    """Throws with numbers that arrive."""

    def __init__(self) -> None:
        self.got: list[int] = []

    async def handle(self, data: list[Any]) -> int:
        self.got.append(data[0])
        await asyncio.sleep(0)
        return int(data[0])


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("sizes", [[SMALL], [LARGE], [SMALL, LARGE], [HUGE, SMALL], [SMALL, HUGE, LARGE]])
@pytest.mark.parametrize("pause", [0, 2, *(pytest.param(odd, marks=pytest.mark.chaos) for odd in (1, 3))])
def test_throws_of_many_tasks_arrive_in_the_order_of_the_calls(sizes: list[int], pause: int) -> None:
    async def main() -> None:
        numbers = Numbers()
        memory = MemoryConnector()
        async with SimpleServer(memory, numbers.handle, limits=LIMITS):
            faulty = FaultyConnector(memory)
            faulty.cutting = False
            async with SimpleClient(faulty, limits=LIMITS) as client:
                faulty.stall()
                tasks = []
                for number in range(400):
                    if number == 300:
                        faulty.resume()
                    throw = client.throw([number, "x" * sizes[number % len(sizes)]])
                    tasks.append(asyncio.ensure_future(throw))
                    if number > 250:
                        await turns(pause)
                    elif number % 10 == 0:
                        await turns(1)
                await asyncio.gather(*tasks)
        assert numbers.got == list(range(400))

    run_with_virtual_clock(main())


def test_requests_of_many_tasks_start_in_the_order_of_the_calls() -> None:
    async def main() -> None:
        numbers = Numbers()
        memory = MemoryConnector()
        async with SimpleServer(memory, numbers.handle, limits=LIMITS):
            faulty = FaultyConnector(memory)
            faulty.cutting = False
            async with SimpleClient(faulty, limits=LIMITS) as client:
                faulty.stall()
                tasks = []
                for number in range(400):
                    if number == 300:
                        faulty.resume()
                    tasks.append(asyncio.ensure_future(client.request([number, "x" * SMALL])))
                    if number % 3 == 0:
                        await turns(1)
                assert await asyncio.gather(*tasks) == list(range(400))
        assert numbers.got == list(range(400))

    run_with_virtual_clock(main())


@pytest.mark.parametrize("size", [SMALL, HUGE])
def test_who_waits_for_room_hears_that_the_client_is_gone(size: int) -> None:
    """A server's request and throw that wait for room end when the session ends; they were not sent."""

    async def main() -> None:
        numbers = Numbers()
        memory = MemoryConnector()
        async with SimpleServer(memory, limits=LIMITS) as server:
            faulty = FaultyConnector(memory)
            faulty.cutting = False
            client = await SimpleClient(faulty, numbers.handle, limits=LIMITS).init()
            faulty.stall()
            data = [1, "x" * size]
            it = client.client_id
            throws = [asyncio.ensure_future(server.throw(data, client_id=it)) for _ in range(50)]
            requests = [asyncio.ensure_future(server.request(data, client_id=it)) for _ in range(50)]
            await turns(5)
            assert not throws[-1].done()
            closing = asyncio.ensure_future(client.close(0))
            results = await asyncio.wait_for(asyncio.gather(*requests, return_exceptions=True), 30)
            assert {type(result) for result in results} == {ConnectionLost}
            assert any(not result.sent for result in results if isinstance(result, ConnectionLost))
            ends = await asyncio.wait_for(asyncio.gather(*throws, return_exceptions=True), 30)
            lost = [end for end in ends if end is not None]
            assert lost
            assert all(isinstance(end, ConnectionLost) and not end.sent for end in lost)
            await closing

    run_with_virtual_clock(main())


def test_who_waits_for_room_has_a_timeout() -> None:
    async def main() -> None:
        memory = MemoryConnector()
        async with SimpleServer(memory, Numbers().handle, limits=LIMITS):
            faulty = FaultyConnector(memory)
            faulty.cutting = False
            async with SimpleClient(faulty, limits=LIMITS) as client:
                faulty.stall()
                throws = [asyncio.ensure_future(client.throw([1, "x" * SMALL])) for _ in range(100)]
                await turns(5)
                assert not throws[-1].done()
                loop = asyncio.get_running_loop()
                began = loop.time()
                with pytest.raises(RequestTimeout):
                    await client.request([1, ""], timeout=0.25)
                assert loop.time() - began == pytest.approx(0.25, abs=0.01)
                faulty.resume()
                await asyncio.gather(*throws)
                assert await client.request([2, ""], timeout=1) == 2

    run_with_virtual_clock(main())


async def test_a_message_that_is_too_big_is_refused_before_it_is_sent() -> None:
    memory = MemoryConnector()
    async with SimpleServer(memory, Numbers().handle, limits=LIMITS) as server:
        async with SimpleClient(memory, Numbers().handle) as client:
            too_big = [1, "x" * (LIMITS.max_message + 1)]
            for attempt in (client.request, client.throw, server.request, server.throw):
                with pytest.raises(MessageTooBig):
                    await attempt(too_big)
            assert await client.request([3, ""]) == await server.request([3, ""]) == 3
