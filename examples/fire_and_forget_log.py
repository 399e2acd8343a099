"""Several processes log to one with throws, which take no round trip. close() delivers all of them."""

import asyncio
import logging
import os
import sys
from collections import Counter
from typing import Any

from communica_like import LocalConnector, SimpleClient, SimpleServer, connector_from

WORKERS = 3
LINES = 1000

lines: Counter[str] = Counter()


def write(record: dict[str, Any]) -> None:
    """Count the line. Throws of one client are handled in the order of the calls."""
    if record["text"] != f"line {lines[record['worker']]}":
        raise ValueError(f"out of order: {record}")
    lines[record["worker"]] += 1


async def work(url: str, name: str) -> None:
    async with SimpleClient(connector_from(url), client_id=name) as client:
        for number in range(LINES):
            await client.throw({"worker": name, "text": f"line {number}"})
    # Leaving the block delivers everything first.


async def collect() -> None:
    async with SimpleServer(LocalConnector(f"log-{os.getpid()}"), write) as server:
        workers = [
            await asyncio.create_subprocess_exec(sys.executable, __file__, server.address, f"worker-{number}")
            for number in range(WORKERS)
        ]
        for worker in workers:
            if await worker.wait():
                raise SystemExit("a worker failed")
    for name, count in sorted(lines.items()):
        print(f"{name}: {count} lines")


if __name__ == "__main__":
    logging.basicConfig()  # errors in a throw's handler are logged on this side
    asyncio.run(work(sys.argv[1], sys.argv[2]) if len(sys.argv) > 1 else collect())
