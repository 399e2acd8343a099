"""A client that runs until it is told to stop. Arguments: the URL, and its options as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Self

from communica_like import RouteClient, connector_from


class AnnouncedClient(RouteClient):
    async def init(self, timeout: float | None = None, *, wait: bool = True) -> Self:
        await super().init(timeout, wait=wait)
        print(f"connected {await self.request('pid', None)}")
        return self


options: dict[str, Any] = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
client = AnnouncedClient(connector_from(sys.argv[1]), **options)


@client.routes.handler("sleep")
async def sleep(seconds: float) -> float:
    print("sleeping")
    await asyncio.sleep(seconds)
    return seconds


asyncio.run(client.run())
