"""A queue in a multiprocessing manager: this process holds it, and others take jobs from it."""

import asyncio
import sys

from communica_like.queues import ManagerQueue, QueueHost

WORKERS = 2
STOP = None


async def work(address: str, key: str) -> None:
    authkey = bytes.fromhex(key)
    async with ManagerQueue(address, authkey, "jobs") as jobs, ManagerQueue(address, authkey, "done") as done:
        async for job in jobs:
            if job is STOP:
                return
            await done.put((job, job * job))


async def main() -> None:
    async with QueueHost() as host:  # a private socket, and a random key
        address, key = str(host.address), host.authkey.hex()
        workers = [
            # Pass the key through stdin: other users can read a process's arguments.
            await asyncio.create_subprocess_exec(
                sys.executable, __file__, address, stdin=asyncio.subprocess.PIPE
            )
            for _ in range(WORKERS)
        ]
        async with (
            ManagerQueue(address, host.authkey, "jobs", max_items=3) as jobs,
            ManagerQueue(address, host.authkey, "done") as done,
        ):
            for worker in workers:
                assert worker.stdin is not None
                worker.stdin.write(f"{key}\n".encode())
            for number in range(10):
                await jobs.put(number)  # waits while the queue holds three items
            squares = dict([await done.get() for _ in range(10)])
            for _ in workers:
                await jobs.put(STOP)
            codes = [await worker.wait() for worker in workers]
        print(f"squares: {sorted(squares.values())}")
        print(f"exit codes: {codes}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(work(sys.argv[1], sys.stdin.readline().strip()))
    else:
        asyncio.run(main())
