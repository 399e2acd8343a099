"""Programs that use a manager in a process of their own: ``python -m tests.queues.manager.child NAME ...``.

The key is always b"key"; an address is the path of a socket.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from communica_like.queues import ManagerQueue, QueueHost

__all__: list[str] = []


async def host(address: str, max_items: str) -> None:
    """Hold queues until stdin ends."""
    async with QueueHost(address, b"key", max_items=int(max_items)):
        print("serving", flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def write(address: str, first: str, count: str) -> None:
    """Put numbers, and say how far it has come."""
    async with ManagerQueue(address, b"key") as queue:
        for number in range(int(first), int(first) + int(count)):
            await queue.put(number)
            print(number, flush=True)


async def read(address: str, count: str) -> None:
    """Take numbers and print them."""
    async with ManagerQueue(address, b"key") as queue:
        for _ in range(int(count)):
            print(await queue.get(), flush=True)


async def wait(address: str) -> None:
    """Wait in get, and say so when the host knows."""
    async with ManagerQueue(address, b"key") as queue:
        getting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.qsize()  # what was asked before is with the host now
        print("waiting", flush=True)
        print(await getting, flush=True)


async def stall(address: str) -> None:
    """Wait in get, and stand still with the item in hand: before it is returned."""
    async with ManagerQueue(address, b"key") as queue:
        getting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.qsize()
        print("waiting", flush=True)
        threading.Event().wait()  # the item comes, and the event loop does not look at it
        await getting


async def echo(address: str, answers: str) -> None:
    """Give all items back by another queue."""
    async with ManagerQueue(address, b"key") as queue, ManagerQueue(address, b"key", answers) as back:
        print("serving", flush=True)
        async for item in queue:
            await back.put(item)


if __name__ == "__main__":
    programs: dict[str, Callable[..., Coroutine[Any, Any, None]]]
    programs = {"host": host, "write": write, "read": read, "wait": wait, "stall": stall, "echo": echo}
    asyncio.run(programs[sys.argv[1]](*sys.argv[2:]))
