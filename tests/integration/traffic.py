"""Mixed traffic between two sides, and a record of all that must come true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from communica_like import ReqError

__all__ = ["Party"]

Request = Callable[[Any], Awaitable[Any]]
Throw = Callable[[Any], Awaitable[None]]


class Party:
    """One side: what it sends, and what reaches it.

    Args:
        seed: for the mix.
        large: bytes of the larger ones among its messages.

    Attributes:
        sent: throws it sent; ``answered``: requests that were answered rightly.
        caught: numbers of the throws that reached it, in order; ``handled``: of the requests.
    """

    def __init__(self, seed: int, large: int = 5_000) -> None:
        self.sent = 0
        self.answered = 0
        self.caught: list[int] = []
        self.handled: list[int] = []
        self._random = Random(seed)
        self._large = large
        self._ask: Request | None = None

    async def handle(self, data: list[Any]) -> Any:
        """Handle whatever the other side sends."""
        kind, number, wish, load = data
        if kind == "throw":
            self.caught.append(number)
            return None
        if kind == "nested":
            return -number
        self.handled.append(number)
        if wish == "later":
            await asyncio.sleep(0)
        elif wish == "nested" and self._ask is not None:
            assert await self._ask(["nested", number, "", ""]) == -number
        elif wish == "error":
            raise ReqError("as you wish", number)
        elif wish == "large":
            return [number, "y" * self._large]
        return [number, load]

    async def send(self, count: int, request: Request, throw: Throw, at_a_time: int = 40) -> None:
        """Send *count* messages: half requests, half throws."""
        self._ask = request
        wishes = ("now",) * 12 + ("later",) * 4 + ("nested", "error", "large", "now")
        asking: set[asyncio.Task[None]] = set()
        for number in range(count // 2):
            load = "x" * (self._large if self._random.random() < 0.02 else self._random.randrange(100))
            if len(asking) >= at_a_time:
                done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            asked = self._request(request, number, self._random.choice(wishes), load)
            asking.add(asyncio.ensure_future(asked))
            await throw(["throw", number, "", load])
            self.sent += 1
        await asyncio.gather(*asking)

    async def _request(self, request: Request, number: int, wish: str, load: str) -> None:
        try:
            answer = await request(["request", number, wish, load])
        except ReqError as exc:
            answer = exc.code
        if wish == "error":
            assert answer == number
        else:
            assert answer == [number, "y" * self._large if wish == "large" else load]
        self.answered += 1

    def check_all_came(self, other: Party, count: int) -> None:
        """Fail unless all that *other* sent has reached this side once, the throws in order."""
        numbers = list(range(count // 2))
        assert other.sent == other.answered == len(numbers)
        assert self.caught == numbers, "throws arrive once and in order"
        assert sorted(self.handled) == numbers, "each request is handled once"
