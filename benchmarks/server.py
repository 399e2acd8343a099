"""The server process of one contestant: ``python -m benchmarks.server CONTESTANT ADDRESS``."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.commands import Commands
from benchmarks.contestants import CONTESTANTS

__all__: list[str] = []


async def _main(name: str, address: str) -> None:
    contestant = CONTESTANTS[name]
    commands = Commands()
    async with contestant.arena().serve(address, contestant.new_handler()):
        print("ready", flush=True)
        while await commands.next() is not None:
            pass


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
