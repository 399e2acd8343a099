"""Talk to another program in lines: bc, or here a small calculator in Python, that knows of no library."""

import asyncio
import sys

from communica_like.exceptions import ConnectionLost
from communica_like.queues import ProcessLines

CALCULATOR = """
while True:
    left, right = input().split("+")
    print(int(left) + int(right), flush=True)
"""


async def main() -> None:
    async with ProcessLines([sys.executable, "-c", CALCULATOR]) as calculator:
        await calculator.put("1+2")
        await calculator.put("30+40")
        print(await calculator.get(timeout=10), await calculator.get(timeout=10))
        await calculator.put("one+two")
        try:
            await calculator.get()
        except ConnectionLost:  # whose message has the same, and the exit code
            print("it broke:", calculator.stderr_tail.decode().splitlines()[-1])


if __name__ == "__main__":
    asyncio.run(main())
