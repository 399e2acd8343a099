"""A client that is asked by its server, and never answers: ``asked_client.py URL``."""

import asyncio
import sys

from communica_like import SimpleClient, connector_from


async def never(data: object) -> None:
    print("asked", flush=True)
    await asyncio.Event().wait()


async def main() -> None:
    async with SimpleClient(connector_from(sys.argv[1]), never, client_id="asked"):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
