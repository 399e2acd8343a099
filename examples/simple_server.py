"""A server that adds. Start it, then simple_client.py in another terminal; Ctrl-C stops it."""

import asyncio

from communica_like import LocalConnector, ReqError, SimpleServer


async def add(data: list[float]) -> float:
    if len(data) > 10:
        raise ReqError("at most ten numbers", code=413)
    return sum(data)


async def main() -> None:
    await SimpleServer(LocalConnector("adder"), add).run()


if __name__ == "__main__":
    asyncio.run(main())
