"""What is measured: four ways of using a connection, the same for every contestant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.arena import Arena, Requester

__all__ = ["WORKLOADS", "Measurement", "Workload", "measure"]

PAYLOAD: dict[str, Any] = {
    "id": 12345,
    "name": "sensor in room 12",
    "tags": ["alpha", "beta", "gamma"],
    "value": 3.14159,
    "text": "temperature, every ten seconds",
}  # 127 bytes as JSON

DEADLINE = 30.0  # seconds for one measurement: a contestant that hangs must not hang the run


@dataclass(frozen=True, slots=True)
class Measurement:
    """Messages per second and, where each was timed, the median time of one in microseconds."""

    rate: float
    p50: float | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """One way of using connections: *run* gets that many connections and *count* messages to send."""

    title: str
    connections: int
    count: int
    run: Callable[[Sequence[Requester], int], Awaitable[Measurement]]


async def _one_by_one(clients: Sequence[Requester], count: int) -> Measurement:
    request = clients[0].request
    times = []
    began = before = perf_counter()
    for _ in range(count):
        await request(PAYLOAD)
        now = perf_counter()
        times.append(now - before)
        before = now
    return Measurement(count / (before - began), median(times) * 1e6)


async def _in_flight(clients: Sequence[Requester], count: int, workers: int) -> Measurement:
    each = count // (workers * len(clients))

    async def work(request: Callable[[Any], Awaitable[Any]]) -> None:
        for _ in range(each):
            await request(PAYLOAD)

    began = perf_counter()
    await asyncio.gather(*(work(client.request) for client in clients for _ in range(workers)))
    return Measurement(each * workers * len(clients) / (perf_counter() - began))


async def _in_flight_64(clients: Sequence[Requester], count: int) -> Measurement:
    return await _in_flight(clients, count, 64)


async def _in_flight_8(clients: Sequence[Requester], count: int) -> Measurement:
    return await _in_flight(clients, count, 8)


async def _throws(clients: Sequence[Requester], count: int) -> Measurement:
    client = clients[0]
    throw = client.throw
    await client.request(None)
    began = perf_counter()
    for _ in range(count):
        await throw(PAYLOAD)
    received = await client.request(None)
    while received < count:  # only where handlers may start later than a request that came after
        received += await client.request(None)
    took = perf_counter() - began
    if received != count:
        raise RuntimeError(f"{count} thrown, {received} received")
    return Measurement(count / took)


WORKLOADS = {
    "sequential": Workload("round trip", 1, 3_000, _one_by_one),
    "in_flight": Workload("64 in flight", 1, 51_200, _in_flight_64),
    "throws": Workload("throws", 1, 200_000, _throws),
    "connections": Workload("16 conns x 8", 16, 51_200, _in_flight_8),
}


async def measure(arena: Arena, address: str, workload: Workload, scale: float = 1.0) -> Measurement:
    """Connect anew, warm up with a tenth of the messages, then measure *scale* times the usual count."""
    count = int(workload.count * scale)
    async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
        connections = [arena.connect(address) for _ in range(workload.connections)]
        clients = [await stack.enter_async_context(connection) for connection in connections]
        await workload.run(clients, max(count // 10, 256))
        return await workload.run(clients, count)
