"""A client and a server over named pipes. The server calls the client back through the same pipes."""

import asyncio
import sys
import tempfile
from pathlib import Path

from communica_like import FifoConnector, RouteClient, RouteServer


async def serve(path: str) -> None:
    server = RouteServer(FifoConnector(path))
    seen: list[int] = []
    server.routes.add_route("number", seen.append)

    @server.routes.handler("sum")
    async def add_up(_: None) -> str:
        factor = await server.request("factor", None)  # calls the client, which awaits this answer
        return f"{factor} x {len(seen)} numbers = {factor * sum(seen)}"

    await server.run()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "server")
        server = await asyncio.create_subprocess_exec(sys.executable, __file__, path)
        client = RouteClient(FifoConnector(path))
        client.routes.add_route("factor", lambda _: 2)
        async with client:
            for number in range(10_000):
                await client.throw("number", number)
            print(await client.request("sum", None))
        server.terminate()
        print("exit code:", await server.wait())
        print("left in the folder:", [each.name for each in Path(folder).iterdir()])


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]) if len(sys.argv) > 1 else main())
