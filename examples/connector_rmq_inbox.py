"""Three servers share one inbox, and one of them is killed. Needs a RabbitMQ broker on this machine."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process

import aiormq

from communica_like import Context, RmqInboxConnector, SimpleClient, SimpleServer

BROKER = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")


def connector_of(pid: int) -> RmqInboxConnector:
    # Messages take long, so a server takes one at a time. The next one goes to an idle server.
    return RmqInboxConnector(BROKER, f"pictures-{pid}", prefetch=1)


async def shrink(picture: str, context: Context) -> list[str | int]:
    if picture == "a huge one" and not context.redelivered:
        print(f"working on {picture}", flush=True)
        await asyncio.sleep(60)
    if context.redelivered:
        # Another server may have started or finished this message. Its context.key was the same.
        print(f"once more, {context.key}: {picture}", flush=True)
    return [f"small {picture}", os.getpid()]


async def start_server() -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, __file__, "serve", str(os.getpid()), stdout=PIPE
    )


async def says(server: Process) -> str:
    assert server.stdout is not None
    return (await server.stdout.readline()).decode().strip()


async def main() -> None:
    connector = connector_of(os.getpid())
    async with SimpleClient(connector) as client:
        # No server is up yet. When throw() returns, the broker has stored the message on disk.
        await client.throw("an early one", key="order 1")
        print("the broker has it")
        huge = asyncio.create_task(client.request("a huge one", timeout=30, key="order 2"))
        first = await start_server()
        print("the first server is", await says(first))
        others = [await start_server(), await start_server()]
        first.kill()  # while it handles the huge one
        answer, helper = await huge
        print("answer:", answer)
        helpers = {helper}
        while len(helpers) < 2:
            # Send 100 at a time. Each of the two servers takes the next one when it is idle.
            requests = [client.request(f"picture {n}", timeout=30) for n in range(100)]
            helpers |= {helper for _, helper in await asyncio.gather(*requests)}
        print("servers that shared the rest:", len(helpers))
    for server in others:
        server.terminate()
    said = [(await server.communicate())[0].decode().strip() for server in others]
    print("one of the others said:", max(said))
    print("exit codes:", await first.wait(), [server.returncode for server in others])
    await remove(connector)


async def remove(connector: RmqInboxConnector) -> None:
    """Delete the inbox's queues and exchange, which are durable."""
    broker = await aiormq.connect(BROKER)
    channel = await broker.channel()
    await channel.queue_delete(f"communica_like.shared.{connector.address}")
    await channel.queue_delete(f"communica_like.dead.{connector.address}")
    await channel.exchange_delete(f"communica_like.dead.{connector.address}")
    await broker.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(SimpleServer(connector_of(int(sys.argv[2])), shrink).run())
    else:
        asyncio.run(main())
