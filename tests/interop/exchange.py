"""What holds between each of our queues and its original."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tests.interop.original import PATIENCE, Original

__all__ = ["Exchange"]


class Exchange:
    """Tests of two queues that are the same one: the fixtures ``mq``, ours, and ``original``.

    Attributes:
        ITEMS: what both can carry.
        PUT: the original's method that puts an item.
    """

    ITEMS: ClassVar[list[Any]]
    PUT: ClassVar[str] = "put"

    async def test_items_of_many_kinds_from_the_original(self, mq: Any, original: Original) -> None:
        for item in self.ITEMS:
            await original.ask(self.PUT, item)
            got = await mq.get(timeout=PATIENCE)
            assert (got, type(got)) == (item, type(item))

    async def test_items_of_many_kinds_to_the_original(self, mq: Any, original: Original) -> None:
        for item in self.ITEMS:
            await mq.put(item, timeout=PATIENCE)
            got = await original.ask("get")
            assert (got, type(got)) == (item, type(item))

    async def test_a_waiting_get_there_is_served_from_here(self, mq: Any, original: Original) -> None:
        original.tell("get")
        await mq.put("served")
        assert await original.answer() == "served"

    async def test_a_waiting_get_here_is_served_from_there(self, mq: Any, original: Original) -> None:
        waiting = asyncio.create_task(mq.get(timeout=PATIENCE))
        await asyncio.sleep(0)
        assert not waiting.done()
        await original.ask(self.PUT, self.ITEMS[-1])
        assert await waiting == self.ITEMS[-1]
