"""Read items by type from a System V queue. Each reader may stop waiting at any time."""

import asyncio
import queue

from communica_like.queues import SysVMQ

ORDERS, INVOICES, LETTERS = 1, 2, 3


async def read(post: SysVMQ, message_type: int, name: str) -> None:
    while True:
        try:
            item = await post.get(message_type=message_type, timeout=0.3)
        except queue.Empty:
            return
        print(f"{name}: {item}")


async def main() -> None:
    async with SysVMQ() as post:  # a new queue; other processes open it by post.key
        try:
            await post.put("an apple", message_type=ORDERS)
            await post.put(("for an apple", 0.5), message_type=INVOICES)
            await post.put({"to": "Alice"}, message_type=LETTERS)
            await post.put("a pear", message_type=ORDERS)
            await asyncio.gather(read(post, ORDERS, "orders"), read(post, INVOICES, "invoices"))
            print(f"nobody took: {post.get_nowait()}")
        finally:
            post.unlink()


if __name__ == "__main__":
    asyncio.run(main())
