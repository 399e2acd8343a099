"""Read lines from a named pipe. A shell's echo puts items, too, without this library."""

import asyncio
import os
from tempfile import TemporaryDirectory

from communica_like.queues import PipeQueue


async def main() -> None:
    with TemporaryDirectory() as folder:
        async with PipeQueue(os.path.join(folder, "pipe"), history=False) as items:
            await items.put(("from", "Python", {"n": 1}))
            shell = await asyncio.create_subprocess_shell(f"echo \"'from a shell'\" > '{items.path}'")
            await shell.wait()
            print(await items.get())
            print(await items.get())
        print(f"left in the folder: {os.listdir(folder)}")


if __name__ == "__main__":
    asyncio.run(main())
