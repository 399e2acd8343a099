"""The client of the smallest example. Argument: the port."""

import asyncio
import sys

from communica_like import SimpleClient, TcpConnector


async def main() -> None:
    connector = TcpConnector("localhost", int(sys.argv[1]))
    async with SimpleClient(connector=connector) as client:
        resp = await client.request("hello")
        print(resp)


asyncio.run(main())
