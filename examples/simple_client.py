"""Asks simple_server.py to add. It waits until that is there."""

import asyncio

from communica_like import LocalConnector, ReqError, SimpleClient


async def main() -> None:
    async with SimpleClient(LocalConnector("adder")) as client:
        print("1 + 2 + 3.5 =", await client.request([1, 2, 3.5]))
        try:
            await client.request([1] * 11)
        except ReqError as error:
            print("The server said:", error.message, error.code)


if __name__ == "__main__":
    asyncio.run(main())
