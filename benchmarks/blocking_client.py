"""The measuring process of blocking clients: ``python -m benchmarks.blocking_client URL``.

For each line ``WHAT AMOUNT`` on standard input it prints the seconds that a request took.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, Final

from communica_like import SimpleClient, blocking, connector_from
from communica_like.serializers import OrjsonSerializer

__all__: list[str] = []

THREADS: Final = 16
ITEM: Final = {"name": "a request of the usual size", "numbers": list(range(16)), "nested": {"yes": True}}


def _asyncio(url: str, count: int) -> float:
    async def ask() -> float:
        async with SimpleClient(connector_from(url), serializer=OrjsonSerializer()) as client:
            times = []
            for _ in range(count):
                began = perf_counter()
                await client.request(ITEM)
                times.append(perf_counter() - began)
            return median(times[count // 10 :])

    return asyncio.run(ask())


def _blocking(url: str, count: int) -> float:
    with blocking.SimpleClient(connector_from(url), serializer=OrjsonSerializer()) as client:
        times = []
        for _ in range(count):
            began = perf_counter()
            client.request(ITEM)
            times.append(perf_counter() - began)
        return median(times[count // 10 :])


def _rate(url: str, count: int, threads: int) -> float:
    with blocking.SimpleClient(connector_from(url), serializer=OrjsonSerializer()) as client:

        def ask() -> None:
            for _ in range(count // threads):
                client.request(ITEM)

        workers = [threading.Thread(target=ask) for _ in range(threads)]
        began = perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return (perf_counter() - began) / count


def main(url: str) -> None:
    """Measure what the parent asks for."""
    measures: dict[str, Callable[[str, int], Any]] = {
        "asyncio": _asyncio,
        "blocking": _blocking,
        "one": lambda url, count: _rate(url, count, 1),
        "threads": lambda url, count: _rate(url, count, THREADS),
    }
    print("ready", flush=True)
    for line in sys.stdin:
        what, amount = line.split()
        print(measures[what](url, int(amount)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
