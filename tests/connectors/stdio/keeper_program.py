"""A parent for tests that kill it: ``python -m tests.connectors.stdio.keeper_program WHAT ...``.

It starts a child, has it do things, prints the pids of all whom it should take along, and waits.
"""

from __future__ import annotations

import asyncio
import shlex
import sys

from communica_like import Limits, SimpleClient, StdioConnector

WORKER = [sys.executable, "-m", "tests.connectors.stdio.worker_program", "impatient"]


async def main(*wishes: str) -> None:
    command = ["sh", "-c", f"{shlex.join(WORKER)}; true"] if "shell" in wishes else WORKER
    heard = bytearray()
    connector = StdioConnector(command, on_stderr=heard.extend)
    client = await SimpleClient(connector, limits=Limits(heartbeat=60)).init()
    pids = [await client.request(["pid"])]
    if "grandchild" in wishes:
        pids.append(await client.request(["hold", False]))
    if "deaf" in wishes:
        await client.request(["deaf"])
    if "hang" in wishes:
        await client.throw(["wait"])
    if "blocked" in wishes:
        await client.throw(["say", "blocked"])
        await client.throw(["sleep", 60])
        while b"blocked" not in heard:
            await asyncio.sleep(0.01)
    else:
        await client.request(["echo", 1])
    print(*pids, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
