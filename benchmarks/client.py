"""The client process of one contestant: ``python -m benchmarks.client CONTESTANT ADDRESS``.

For each line ``WORKLOAD SCALE`` on standard input it prints the measurement as one line of JSON.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict

import orjson

from benchmarks.commands import Commands
from benchmarks.contestants import CONTESTANTS
from benchmarks.workloads import WORKLOADS, measure

__all__: list[str] = []


async def _main(name: str, address: str) -> None:
    arena = CONTESTANTS[name].arena()
    commands = Commands()
    print("ready", flush=True)
    while (line := await commands.next()) is not None:
        workload, _, scale = line.partition(" ")
        measurement = await measure(arena, address, WORKLOADS[workload], float(scale))
        print(orjson.dumps(asdict(measurement)).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
