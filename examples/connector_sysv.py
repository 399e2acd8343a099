"""A server and three clients over System V message queues. reap() cleans up after a killed server."""

import asyncio
import os
import sys

from communica_like import Context, SimpleClient, SimpleServer, SysVConnector
from communica_like.queues import SysVMQ, reap


async def serve(key: int) -> None:
    def greet(name: str, context: Context) -> str:
        return f"hello {name}, process {context.peer.pid == int(name.split()[1])}"

    await SimpleServer(SysVConnector(key), greet).run()


async def ask(key: int) -> None:
    async with SimpleClient(SysVConnector(key)) as client:
        print(await client.request(f"client {os.getpid()}"), flush=True)


async def start(*arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, __file__, *map(str, arguments))


async def main() -> None:
    key = 10_000_000 + os.getpid()
    server = await start("serve", key)
    clients = [await start("ask", key) for _ in range(3)]
    print("exit codes:", [await client.wait() for client in clients])
    server.kill()
    await server.wait()
    # The next server at this address would do this automatically.
    reap()
    try:
        SysVMQ(key, create=False)
    except FileNotFoundError:
        print("the killed server's queue is removed")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run({"serve": serve, "ask": ask}[sys.argv[1]](int(sys.argv[2])))
    else:
        asyncio.run(main())
