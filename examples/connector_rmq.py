"""Two servers and three clients connect through a RabbitMQ broker. Needs a broker on this machine."""

import asyncio
import os
import sys

from communica_like import RmqConnector, SimpleClient, SimpleServer

BROKER = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")


def connector_of(pid: int) -> RmqConnector:
    return RmqConnector(BROKER, f"adder-{pid}")


async def ask(pid: int) -> None:
    async with SimpleClient(connector_of(pid)) as client:
        print(await client.request([1, 2, 3.5]), flush=True)


async def main() -> None:
    connector = connector_of(os.getpid())
    # Each new client gets the next server in turn. These two share one connection to the broker.
    async with SimpleServer(connector, sum) as one, SimpleServer(connector, sum) as two:
        children = [
            await asyncio.create_subprocess_exec(sys.executable, __file__, str(os.getpid())) for _ in range(3)
        ]
        print("exit codes:", [await child.wait() for child in children])
        async with SimpleClient(connector) as a, SimpleClient(connector) as b:
            print("6 =", await a.request([1, 2, 3]), "=", await b.request([3, 2, 1]))
            print("clients of each server:", len(one.clients), len(two.clients))


if __name__ == "__main__":
    asyncio.run(ask(int(sys.argv[1])) if len(sys.argv) > 1 else main())
