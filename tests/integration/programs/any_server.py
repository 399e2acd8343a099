"""A server for many tests. Arguments: its URL, and its options as JSON.

It prints ``serving URL``, and what its handlers say.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any, Self

from communica_like import Context, Limits, RouteServer, RouteTable, connector_from

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


@table.handler("stubborn")
async def stubborn(data: Any) -> None:
    print("stubborn")
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("not impressed")


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
def count(number: int) -> None:
    thrown.append(number)


@table.handler("counted")
def counted(data: Any) -> list[Any]:
    return [len(thrown), thrown == sorted(set(thrown))]


@table.handler("call back")
async def call_back(data: Any, context: Context) -> Any:
    return await server.request("echo", data, client_id=context.client_id)


@table.handler("fork")
def fork(count: int) -> list[int]:
    """Fork children that do nothing but live."""
    pids = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        pids.append(child)
    return pids


class AnnouncedServer(RouteServer):
    async def init(self, timeout: float | None = 0) -> Self:
        await super().init(timeout)
        print(f"serving {self.address}")
        return self


options: dict[str, Any] = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
limits = Limits(**options.pop("limits", {}))
server = AnnouncedServer(connector_from(sys.argv[1]), table, limits=limits, **options)
asyncio.run(server.run())
