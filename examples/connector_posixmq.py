"""A client and a server over POSIX message queues. The client learns at once that the server was killed."""

import asyncio
import os
import sys

from communica_like import ConnectionLost, PosixMQConnector, SimpleClient, SimpleServer


async def serve(name: str) -> None:
    async def shout(text: str) -> str:
        if text == "please wait":
            await asyncio.sleep(3600)
        return text.upper()

    await SimpleServer(PosixMQConnector(name), shout).run()


async def main() -> None:
    name = f"/shouter-{os.getpid()}"
    server = await asyncio.create_subprocess_exec(sys.executable, __file__, name)
    async with SimpleClient(PosixMQConnector(name)) as client:
        print(await client.request("is anybody there?"))
        many = [client.request(f"word {number}") for number in range(1000)]
        print(len(await asyncio.gather(*many)), "more, many of them in one message of the queue")
        waiting = asyncio.ensure_future(client.request("please wait"))
        await client.request("this comes behind it")
        server.kill()
        try:
            await waiting
        except ConnectionLost as error:
            print("not answered:", error)
        await server.wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]) if len(sys.argv) > 1 else main())
