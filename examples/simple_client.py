"""Ask simple_server.py to add. Waits until the server is up."""

import asyncio

from communica_like import LocalConnector, SimpleClient


async def main() -> None:
    async with SimpleClient(LocalConnector("adder")) as client:
        print("1 + 2 + 3.5 =", await client.request([1, 2, 3.5]))


asyncio.run(main())
