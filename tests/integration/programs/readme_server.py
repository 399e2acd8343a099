"""The server of the smallest example. Argument: the port."""

import asyncio
import sys

from communica_like import SimpleServer, TcpConnector


def handler(data: str) -> str:
    print(data)
    return f"Server received: {data}"


connector = TcpConnector("localhost", int(sys.argv[1]))
server = SimpleServer(connector=connector, handler=handler)
asyncio.run(server.run())
