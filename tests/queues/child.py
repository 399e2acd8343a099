"""Programs that use a queue in a process of their own: ``python -m tests.queues.child PROGRAM NAME ...``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from communica_like.queues import PosixMQ, SysVMQ

__all__: list[str] = []


def opened(name: str) -> Any:
    """Open a queue that exists: ``/NAME`` or ``KEY``."""
    return PosixMQ(name, create=False) if name.startswith("/") else SysVMQ(int(name), create=False)


async def write(name: str, first: str, count: str) -> None:
    """Put numbers, and say how far it has come."""
    async with opened(name) as queue:
        for number in range(int(first), int(first) + int(count)):
            await queue.put(number)
            print(number, flush=True)


async def read(name: str, count: str) -> None:
    """Take numbers and print them."""
    async with opened(name) as queue:
        for _ in range(int(count)):
            print(await queue.get(), flush=True)


async def wait(name: str) -> None:
    """Wait in get, and say so before."""
    async with opened(name) as queue:
        asyncio.get_running_loop().call_soon(lambda: print("waiting", flush=True))
        print(await queue.get(), flush=True)


async def echo(name: str, answers: str) -> None:
    """Give all items back by another queue."""
    async with opened(name) as queue, opened(answers) as back:
        async for item in queue:
            await back.put(item)


if __name__ == "__main__":
    programs: dict[str, Callable[..., Coroutine[Any, Any, None]]]
    programs = {"write": write, "read": read, "wait": wait, "echo": echo}
    asyncio.run(programs[sys.argv[1]](*sys.argv[2:]))
