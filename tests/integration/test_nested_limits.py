"""A time limit that a nested request inherits."""

from __future__ import annotations

import asyncio

import pytest

from communica_like import Context, MemoryConnector, RequestTimeout, SimpleClient, SimpleServer


async def test_the_requester_hears_that_its_time_is_over_however_deep_that_happened() -> None:
    async def never(data: int) -> None:
        await asyncio.Event().wait()

    async def pass_on(data: int, context: Context) -> int:
        # It catches nothing: when its time is over it fails, in the same moment as the requester's is.
        return int(await server.request(data, client_id=context.client_id))

    connector = MemoryConnector()
    async with SimpleServer(connector, pass_on) as server, SimpleClient(connector, never) as client:
        for attempt in range(100):
            with pytest.raises(RequestTimeout):
                await client.request(attempt, timeout=0.005 + attempt % 10 * 1e-4)
