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
from .processes.journal import JournalWriter
from .processes.settings import Settings
from .processes.stage import IMPATIENT


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

    journal: JournalWriter
    asking: asyncio.Task[Any]

    async def init(self, timeout: float | None = None, *, wait: bool = True) -> Self:
        await super().init(timeout, wait=wait)
        await self.throw("pester", ["client", "pestered", None])
        self.asking = asyncio.get_running_loop().create_task(self.request("wait", "client"))
        return self

    async def wait(self, data: Any) -> None:
        """Handle the server's request, which never ends."""
        self.journal.write("pestered", os.getpid())
        await asyncio.Event().wait()


async def _wait(client: _Waiting) -> None:
    client.routes.add_route("pestered", client.wait)
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
    client = _Waiting(
        make(url, **settings.secrets),
        limits=settings.limits,
        backoff=IMPATIENT,
        drain_timeout=settings.drain_timeout,
    )
    if mode == "work":
        asyncio.run(_work(client, arguments[0], int(arguments[1])))
    elif mode == "wait":
        with JournalWriter(settings.journal) as journal:
            client.journal = journal
            asyncio.run(_wait(client))
    else:
        raise ValueError(f"a mode is 'work' or 'wait', not {mode!r}")


if __name__ == "__main__":
    main()
