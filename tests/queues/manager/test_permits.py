"""What is asked of a host for those who wait, and given back."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

from communica_like.aio.waiters import Line
from communica_like.queues.manager.permits import Permits
from communica_like.queues.manager.protocol import Frame, Kind

PATIENCE = 20.0


class SlowAsker:
    """A connection that stands still when it should give something back, until the test lets it."""

    def __init__(self) -> None:
        self.giving = threading.Event()
        self.go_on = threading.Event()
        self.given_back: list[int] = []

    def request(self, kind: Kind, tell: Callable[[Frame | None], object], /) -> int:
        return 1

    def ask_again(self, kind: Kind, number: int, /) -> None:
        raise AssertionError

    def give_back(self, number: int, /) -> None:
        self.giving.set()
        assert self.go_on.wait(PATIENCE)
        self.given_back.append(number)


async def test_it_is_settled_when_all_is_given_back() -> None:
    """Whoever asks next asks after that: else what he puts would go to who does not wait any more."""
    asker = SlowAsker()
    permits = Permits(asker, Kind.ASK_ITEM, Line(queue.Empty))
    permits.watch()
    one = threading.Thread(target=permits.give_back)
    one.start()
    assert await asyncio.to_thread(asker.giving.wait, PATIENCE)
    settled: list[list[int]] = []

    def settle() -> None:
        permits.settle()
        settled.append(list(asker.given_back))

    other = threading.Thread(target=settle)
    other.start()
    other.join(0.05)
    asker.go_on.set()
    for each in (one, other):
        each.join(PATIENCE)
    assert settled == [[1]]
