"""The client program of the checks: ``python -m communica_like.testing.conformance.client URL MODE ...``.

Modes:

``work WHO COUNT``
    make that many throws and requests, each with its number, then exit;
``wait``
    make a request that never ends, let the server make another one, and run until a signal arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, Self

from ...abc import Connector
from ...connectors import connector_from
from ...entities import RouteClient
from ...exceptions import Closed
from .meeting import IMPATIENT
from .processes.journal import JournalWriter
from .processes.settings import Settings


async def _work(client: RouteClient, who: str, count: int) -> None:
    async with client:

        async def ask(number: int) -> None:
            answer = await client.request("work", [who, number])
            assert answer == number + 1, f"{answer} is the answer to {number}"

        for number in range(count):
            await client.throw("journal", [f"thrown {who}", number])
            if number % 10 == 9:
                await asyncio.gather(*map(ask, range(number - 9, number + 1)))


class _Waiting(RouteClient):
    """A client with an unfinished request in each direction once it is connected."""

    asking: asyncio.Task[Any]

    async def init(self, timeout: float | None = None, *, wait: bool = True) -> Self:
        await super().init(timeout, wait=wait)
        await self.throw("pester", ["client", "pestered", None])
        self.asking = asyncio.get_running_loop().create_task(self.request("wait", "client"))
        return self


async def _wait(client: _Waiting, journal: JournalWriter) -> None:
    async def wait(data: Any) -> None:
        journal.write("pestered", os.getpid())
        await asyncio.Event().wait()

    client.routes.add_route("pestered", wait)
    await client.run()
    with contextlib.suppress(Closed):
        await client.asking


def main(make: Callable[..., Connector] = connector_from) -> None:
    """Run the mode that the program's arguments name.

    Args:
        make: called with the URL, and ``authkey=`` if there is one, returns the connector.
    """
    settings = Settings.of_this_process()
    url, mode, *arguments = sys.argv[1:]
    client = {"work": RouteClient, "wait": _Waiting}[mode](
        make(url, **settings.secrets),
        limits=settings.limits,
        backoff=IMPATIENT,
        drain_timeout=settings.drain_timeout,
    )
    if isinstance(client, _Waiting):
        asyncio.run(_wait(client, JournalWriter(settings.journal)))
    else:
        asyncio.run(_work(client, arguments[0], int(arguments[1])))


if __name__ == "__main__":
    main()
