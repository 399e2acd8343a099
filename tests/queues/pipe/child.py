"""Programs that use a pipe in a process of their own: ``python -m tests.queues.pipe.child PROGRAM PATH``."""

from __future__ import annotations

import ast
import asyncio
import os
import pprint
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from communica_like.queues.pipe.pipe_queue import PipeQueue

__all__: list[str] = []


async def write(path: str, name: str, count: str) -> None:
    """Put numbered items of many sizes, say that it did, and stay."""
    async with PipeQueue(path) as queue:
        for number in range(int(count)):
            await queue.put((name, number, name * (number * 37 % 4000)))
        print("done", flush=True)
        sys.stdin.read()


async def read(path: str) -> None:
    """Print all items up to None."""
    async with PipeQueue(path) as queue:
        print("ready", flush=True)
        async for item in queue:
            if item is None:
                break
            print(item, flush=True)


async def wait(path: str) -> None:
    """Wait in get, and say so before."""
    async with PipeQueue(path) as queue:
        asyncio.get_running_loop().call_soon(lambda: print("waiting", flush=True))
        print(await queue.get(), flush=True)


async def half(path: str) -> None:
    """Write half of an item, as no PipeQueue would, and stay."""
    with open(path, "wb", buffering=0) as pipe:
        pipe.write(b"[1, ")
        print("done", flush=True)
        sys.stdin.read()


async def turberfield(path: str) -> None:
    """Give an item back as turberfield's queue does: a text file, by pprint."""
    with (
        open(os.open(path, os.O_RDONLY), encoding="utf-8", buffering=1) as source,
        open(path + ".back", "w", encoding="utf-8", buffering=1) as back,
    ):
        print("ready", flush=True)
        item = ast.literal_eval(source.readline().rstrip("\n"))
        pprint.pprint(item, stream=back, compact=True, width=sys.maxsize)
        print("done", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    programs: dict[str, Callable[..., Coroutine[Any, Any, None]]]
    programs = {"write": write, "read": read, "wait": wait, "half": half, "turberfield": turberfield}
    asyncio.run(programs[sys.argv[1]](*sys.argv[2:]))
