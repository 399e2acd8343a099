"""Share jobs among processes by priority through a kernel queue, without a server."""

import asyncio
import os
import sys

from communica_like.queues import PosixMQ

WORKERS = 2
STOP = None


async def put_jobs(jobs: PosixMQ) -> None:
    for number in range(6):
        await jobs.put(f"job {number}", priority=9 if number == 4 else 5)
    for _ in range(WORKERS):
        await jobs.put(STOP)  # priority 0: when all else is done


async def work(name: str) -> None:
    async with PosixMQ(name, create=False) as jobs:
        async for job in jobs:
            if job is STOP:
                return
            print(job, flush=True)


async def main() -> None:
    async with PosixMQ(f"/jobs-{os.getpid()}") as jobs:
        try:
            await put_jobs(jobs)  # no worker runs yet; the kernel keeps the jobs
            workers = [
                await asyncio.create_subprocess_exec(sys.executable, __file__, jobs.name)
                for _ in range(WORKERS)
            ]
            print(f"exit codes: {[await worker.wait() for worker in workers]}; left: {jobs.qsize()}")
        finally:
            jobs.unlink()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]) if len(sys.argv) > 1 else main())
