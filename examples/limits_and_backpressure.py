"""Memory is bounded: a fast sender waits for a slow receiver, and messages have a largest size."""

import asyncio
import time

from communica_like import Limits, MemoryConnector, MessageTooBig, SimpleClient, SimpleServer

KIB = 1024
MESSAGES = 300

in_hand = 0
most_in_hand = 0


async def slow(data: str) -> int:
    """Handle a message in 10 ms, and count how many are being handled at once."""
    global in_hand, most_in_hand
    in_hand += 1
    most_in_hand = max(most_in_hand, in_hand)
    await asyncio.sleep(0.01)
    in_hand -= 1
    return len(data)


async def main() -> None:
    connector = MemoryConnector()
    # The server accepts at most 256 KiB of messages that are not handled yet (flow control).
    # The client queues about 64 KiB more. Then throw() waits.
    server_limits = Limits(window=256 * KIB, max_message=100 * KIB)
    client_limits = Limits(outbox=64 * KIB)
    async with (
        SimpleServer(connector, slow, limits=server_limits),
        SimpleClient(connector, limits=client_limits) as client,
    ):
        began = time.monotonic()
        slowest = 0.0
        for _ in range(MESSAGES):
            before = time.monotonic()
            await client.throw("x" * 16 * KIB)
            slowest = max(slowest, time.monotonic() - before)
        print(f"{MESSAGES} throws of 16 KiB were taken in {time.monotonic() - began:.2f} s")
        print(f"some throw() had to wait: {slowest > 0.001}; most in hand at a time: {most_in_hand}")
        try:
            await client.request("x" * 200 * KIB)
        except MessageTooBig as error:
            print("too big:", error)
        # The connection still works.
        print("fits:", await client.request("x" * 90 * KIB))


if __name__ == "__main__":
    asyncio.run(main())
