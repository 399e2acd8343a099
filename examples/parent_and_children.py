"""A parent starts child processes and passes each one a URL to connect back."""

import asyncio
import os
import secrets
import sys

from communica_like import LocalConnector, RouteClient, RouteServer, connector_from, threaded_handler

CHILDREN = 3


async def child(url: str, name: str) -> None:
    # Other users can read a process's arguments, so the key comes in an environment variable.
    connector = connector_from(url, authkey=bytes.fromhex(os.environ["DEMO_AUTHKEY"]))
    client = RouteClient(connector, client_id=name)
    done = asyncio.Event()

    @client.routes.handler("factor")
    @threaded_handler  # computes in a thread, so the event loop stays free
    def factor(number: int) -> list[int]:
        return [n for n in range(2, number) if number % n == 0]

    @client.routes.handler("leave")
    def leave(_: None) -> None:
        done.set()

    async with client:
        await client.throw("ready", name)
        await done.wait()


async def parent() -> None:
    authkey = secrets.token_bytes(32)
    server = RouteServer(LocalConnector(f"family-{os.getpid()}", authkey=authkey))
    ready: asyncio.Queue[str] = asyncio.Queue()
    server.routes.add_route("ready", ready.put_nowait)
    async with server:
        environment = {**os.environ, "DEMO_AUTHKEY": authkey.hex()}
        children = [
            await asyncio.create_subprocess_exec(
                sys.executable, __file__, server.address, f"child-{number}", env=environment
            )
            for number in range(CHILDREN)
        ]
        names = sorted([await ready.get() for _ in children])
        print("here are:", ", ".join(names))
        numbers = [91_001, 91_007, 91_009]
        answers = await asyncio.gather(
            *(
                server.request("factor", number, client_id=name)
                for number, name in zip(numbers, names, strict=True)
            )
        )
        for number, name, factors in zip(numbers, names, answers, strict=True):
            print(f"{name}: {number} has the factors {factors}")
        for name in names:
            await server.throw("leave", None, client_id=name)
        print("exit codes:", [await process.wait() for process in children])


if __name__ == "__main__":
    asyncio.run(child(sys.argv[1], sys.argv[2]) if len(sys.argv) > 1 else parent())
