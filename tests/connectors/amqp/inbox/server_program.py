"""A server of a shared inbox: ``python -m tests.connectors.amqp.inbox.server_program URL JOURNAL [SECONDS]``.

It answers each request with its process's number, writes down all that it handles, and takes so many seconds
for each message. A line on stdout says that it serves.
"""

from __future__ import annotations

import asyncio
import os
import sys

from communica_like import RouteServer, RouteTable, connector_from


async def main(url: str, journal: str, seconds: float = 0.0) -> None:
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    table = RouteTable()

    def note(kind: str, number: int) -> None:
        os.write(file, f"{kind} {number}\n".encode())

    @table.handler("request")
    async def request(number: int) -> int:
        await asyncio.sleep(seconds)
        note("request", number)
        return os.getpid()

    @table.handler("throw")
    def throw(number: int) -> None:
        note("throw", number)

    server = RouteServer(connector_from(url, password="guest"), table)

    async def announce() -> None:
        while server.state != "running":
            await asyncio.sleep(0.005)
        print("serving", flush=True)

    announcing = asyncio.ensure_future(announce())
    await server.run()
    await announcing


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])))
