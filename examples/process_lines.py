"""Exchange lines with another program, such as bc. Here it is a small calculator in Python."""

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
        except ConnectionLost:  # its message has the exit code and this line, too
            print("it broke:", calculator.stderr_tail.decode().splitlines()[-1])


if __name__ == "__main__":
    asyncio.run(main())
