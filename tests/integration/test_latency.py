"""Small requests beside a large message: how much longer they take than without it."""

from __future__ import annotations

import asyncio
import time

import pytest

from communica_like import RouteClient, Serializer, connector_from

from .program import program

SIZE = 64 * 1024 * 1024
SAMPLES = 3_000
ATTEMPTS = 5
MOST = 5.0


class Raw(Serializer):
    """Bytes as they are."""

    def dump(self, obj: bytes, /) -> bytes:
        return obj

    def load(self, data: bytes, /) -> bytes:
        return data


async def sample(client: RouteClient) -> float:
    began = time.perf_counter()
    await client.request("echo", b"small")
    return time.perf_counter() - began


def percentile(samples: list[float], share: float) -> float:
    return sorted(samples)[int(len(samples) * share)]


async def beside(client: RouteClient, route: str, data: bytes) -> list[float]:
    """Return how long small requests took while large ones were under way, one after another."""
    samples: list[float] = []
    while len(samples) < SAMPLES:
        large = asyncio.ensure_future(client.request(route, data))
        await asyncio.sleep(0)
        while not large.done():
            took = await sample(client)
            if not large.done():
                samples.append(took)
        await large
    return samples


@pytest.mark.quiet
@pytest.mark.timeout(300)
@pytest.mark.parametrize("direction", ["request", "answer"])
async def test_small_requests_beside_64_mib(
    url: str, direction: str, capsys: pytest.CaptureFixture[str]
) -> None:
    route, data = ("sink", bytes(SIZE)) if direction == "request" else ("source", str(SIZE).encode())
    ratios = []
    async with program("blob_server", url) as server:
        await server.line()
        async with RouteClient(connector_from(url), serializer=Raw()) as client:
            for _ in range(ATTEMPTS):
                idle = percentile([await sample(client) for _ in range(SAMPLES)], 0.99)
                loaded = await beside(client, route, data)
                busy = percentile(loaded, 0.99)
                ratios.append(busy / idle)
                with capsys.disabled():
                    print(
                        f"\n{url.partition(':')[0]}, 64 MiB {direction} under way: p99 {busy * 1e6:.0f} µs, "
                        f"idle {idle * 1e6:.0f} µs, {busy / idle:.1f} times"
                    )
                if ratios[-1] <= MOST:
                    return
    raise AssertionError(f"p99 was {min(ratios):.1f} times that of an idle link at best")
