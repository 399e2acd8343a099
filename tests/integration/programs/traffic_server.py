"""One side of mixed traffic: the server. Arguments: the URL, and the number of messages it sends.

It sends them to its first client, and prints ``sent`` when they are. The request ["report"] returns what
reached it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Self

from communica_like import Limits, SimpleServer, connector_from
from tests.integration.traffic import Party

url, count = sys.argv[1], int(sys.argv[2])
party = Party(seed=1)


async def handle(data: list[Any]) -> Any:
    if data == ["report"]:
        numbers = list(range(count // 2))
        return {
            "caught": party.caught == numbers,
            "handled": sorted(party.handled) == numbers,
            "sent": party.sent,
            "answered": party.answered,
        }
    return await party.handle(data)


class Server(SimpleServer):
    async def init(self, timeout: float | None = None) -> Self:
        await super().init(timeout)
        print("serving")
        return self


async def main() -> None:
    server = Server(connector_from(url), handle, limits=Limits(heartbeat=5.0, resume_window=20.0))
    running = asyncio.ensure_future(server.run())
    while not server.clients:
        await asyncio.sleep(0.001)
    client_id = server.clients[0].client_id
    await party.send(
        count,
        lambda data: server.request(data, client_id=client_id),
        lambda data: server.throw(data, client_id=client_id),
    )
    print("sent")
    await running


asyncio.run(main())
