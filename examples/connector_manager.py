"""Two processes connect through a multiprocessing manager. Only this user's processes know the key."""

import asyncio
import os
import sys

from communica_like import ManagerConnector, SimpleClient, SimpleServer


def connector_of(pid: int) -> ManagerConnector:
    # The name of a socket in this user's private directory. The server stores a random key beside it.
    return ManagerConnector(f"adder-{pid}")


async def ask(pid: int) -> None:
    async with SimpleClient(connector_of(pid)) as client:
        print("1 + 2 + 3.5 =", await client.request([1, 2, 3.5]), flush=True)


async def main() -> None:
    async with SimpleServer(connector_of(os.getpid()), sum) as server:
        print(f"serving {server.address.partition('-')[0]}", flush=True)
        client = await asyncio.create_subprocess_exec(sys.executable, __file__, str(os.getpid()))
        print(f"exit code: {await client.wait()}")


if __name__ == "__main__":
    asyncio.run(ask(int(sys.argv[1])) if len(sys.argv) > 1 else main())
