"""Calls of a queue that are cancelled at every moment: nothing is lost, and nothing is doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import count
from typing import Any

from communica_like.abc import AsyncQueue

__all__ = ["get_cancelled", "put_cancelled"]


async def get_cancelled(queue: AsyncQueue, number: int, *, most: int = 5, step: float = 0.0) -> list[Any]:
    """Get so many items, each by a call that is cancelled after 0 to *most* - 1 sleeps of *step* seconds."""
    got: list[Any] = []
    for turn in count():
        if len(got) == number:
            break
        getting = asyncio.ensure_future(queue.get())
        for _ in range(turn % most):
            await asyncio.sleep(step)
        getting.cancel()
        await asyncio.wait([getting])
        if not getting.cancelled():
            got.append(getting.result())
    return got


async def put_cancelled(queue: AsyncQueue, items: Iterable[Any], *, most: int = 4) -> None:
    """Put items, each by calls that are cancelled after 0 to *most* - 1 turns, until one succeeds."""
    turn = 0
    for item in items:
        put = False
        while not put:
            turn += 1
            putting = asyncio.ensure_future(queue.put(item))
            for _ in range(turn % most):
                await asyncio.sleep(0)
            putting.cancel()
            await asyncio.wait([putting])
            put = not putting.cancelled()
            if put:
                putting.result()
