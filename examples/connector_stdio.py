"""A parent and a child talk over the child's stdin and stdout, without an address, port or file."""

import asyncio
import os
import subprocess
import sys

from communica_like import ConnectionLost, SimpleClient, SimpleServer, StdioConnector


def count_words(text: str) -> int:
    # This output goes to stderr, so it does not mix with the messages.
    print("counting")
    subprocess.run(["echo", "a program that a handler runs"], check=True)
    if not text:
        print("there is nothing to count")
        os._exit(3)  # simulate a crash
    return len(text.split())


async def child() -> None:
    print("hello from the child")
    await SimpleServer(StdioConnector(), count_words).run()


async def parent() -> None:
    said: list[bytes] = []
    connector = StdioConnector([sys.executable, __file__, "child"], on_stderr=said.append)
    async with SimpleClient(connector) as client:
        print("words:", await client.request("to be or not to be"))
        print("on stderr:", b"".join(said).decode().splitlines())
        try:
            await client.request("")
        except ConnectionLost as exc:
            print("lost:", exc)


if __name__ == "__main__":
    asyncio.run(child() if sys.argv[1:] == ["child"] else parent())
