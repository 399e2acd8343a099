"""A server for many tests. Arguments: its URL, and its options as JSON, with the library's "last_words".

It prints ``serving URL``, and what its handlers say.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sys
import time
from typing import Any, Self

from communica_like import Context, Limits, RouteServer, RouteTable, connector_from
from communica_like.entities import entity

table = RouteTable()
thrown: list[int] = []


@table.handler("echo")
def echo(data: Any) -> Any:
    return data


@table.handler("pid")
def pid(data: Any) -> int:
    return os.getpid()


@table.handler("wait")
async def wait(name: Any) -> None:
    print(f"waiting {name}")
    try:
        await asyncio.Event().wait()
    finally:
        print(f"ended {name}")


@table.handler("sleep")
async def sleep(seconds: float) -> float:
    print("sleeping")
    await asyncio.sleep(seconds)
    print("slept")
    return seconds


@table.handler("hold")
async def hold(data: Any) -> str:
    """Wait for SIGUSR1."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
    print("holding")
    await told.wait()
    return "held"


@table.handler("stubborn")
async def stubborn(data: Any) -> None:
    print("stubborn")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("not impressed")
        await asyncio.sleep(60)


@table.handler("block")
def block(seconds: float) -> float:
    print("blocking")
    time.sleep(seconds)
    print("blocked")
    return seconds


@table.handler("big")
def big(size: int) -> str:
    return "x" * size


@table.handler("count")
def count(data: Any) -> None:
    """Count a number, alone or with padding."""
    thrown.append(data[0] if isinstance(data, list) else data)


@table.handler("counted")
def counted(data: Any) -> list[Any]:
    """How many, and whether they are 0, 1, 2, ..."""
    return [len(thrown), thrown == list(range(len(thrown)))]


@table.handler("call back")
async def call_back(data: Any, context: Context) -> Any:
    return await server.request("echo", data, client_id=context.client_id)


def live() -> None:
    """Hold nothing that the parent prints to, and live for a minute."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    time.sleep(60)


@table.handler("fork")
def fork(count: int) -> list[int]:
    """Fork children that do nothing but live."""
    pids = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            live()
            os._exit(0)
        pids.append(child)
    return pids


@table.handler("multiprocessing")
def fork_processes(count: int) -> list[int]:
    """The same by multiprocessing."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=live, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    return [process.pid for process in processes if process.pid is not None]


class AnnouncedServer(RouteServer):
    async def init(self, timeout: float | None = None) -> Self:
        await super().init(timeout)
        print(f"serving {self.address}")
        return self


options: dict[str, Any] = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
limits = Limits(**options.pop("limits", {}))
if "last_words" in options:
    entity._END_TIMEOUT = options.pop("last_words")
server = AnnouncedServer(connector_from(sys.argv[1]), table, limits=limits, **options)
asyncio.run(server.run())
