"""Requests cancelled at every single point: after one turn of the event loop, after two, and so on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from communica_like import Limits, MemoryConnector, RequestTimeout, SimpleClient, SimpleServer
from communica_like.session import Session
from communica_like.testing import FaultyConnector, run_with_virtual_clock
from tests.entities.stage import sessions_of

LIMITS = Limits(chunk=1024, window=128 * 1024, replay=8 * 1024, outbox=4 * 1024, bulk_in_flight=2048)
LARGE = "x" * 20_000


class Stage:
    """A server and a client that are ready for a request, or soon will be.

    Attributes:
        ask: makes the request that is going to be cancelled.
        ask_again: makes one that must succeed afterwards.
        running: names of handlers that run now.
        runs: how many handlers were started.
    """

    def __init__(self) -> None:
        self.memory = MemoryConnector()
        self.faulty = FaultyConnector(self.memory)
        self.faulty.cutting = False
        self.runs = 0
        self.running: list[str] = []
        self.thrown: list[Any] = []
        self.server = SimpleServer(self.memory, self.handle, limits=LIMITS)
        self.client = SimpleClient(self.faulty, self.handle, limits=LIMITS)
        self.ask: Callable[[], Awaitable[Any]] = lambda: self.client.request("async")
        self.ask_again: Callable[[], Awaitable[Any]] = lambda: self.client.request("plain")

    async def handle(self, data: str) -> Any:
        if data.startswith("throw"):
            self.thrown.append(data)
            return None
        self.runs += 1
        self.running.append(data)
        try:
            if data == "async":
                for _ in range(5):
                    await asyncio.sleep(0)
            elif data == "nested":
                return await self.server.request("async", client_id=self.client.client_id)
            return data
        finally:
            self.running.remove(data)

    async def settled(self) -> None:
        """Wait until all is as if there had been no request."""
        peers = [*sessions_of(self.client), *sessions_of(self.server)]
        assert len(peers) == 2
        for _ in range(2_000):
            if not self.running and all(is_empty(peer.session) for peer in peers):
                break
            for peer in peers:
                peer.session.ask_for_ack()
                peer.flush()
            await asyncio.sleep(0)
        assert not self.running, "the handler was told to stop"
        for peer in peers:
            assert not peer.session.pending, "no request is left"
            assert peer.session.buffered == peer.session.bulk_buffered == 0, "nothing is left in the outbox"
            calls = peer.calls
            queues = (calls._requests, calls._large_requests, calls._throws)
            waiting = [waiter for each in queues for waiter in each.waiting]
            assert all(waiter._notified.done() for waiter in waiting), "there is room for what waits"
            assert not peer.dispatcher._tasks
            assert not peer.session._deadlines


def is_empty(session: Session) -> bool:
    return not (session.pending or session.buffered or session.bulk_buffered)


Situation = Callable[[], AbstractAsyncContextManager[Stage]]


@asynccontextmanager
async def connected() -> AsyncIterator[Stage]:
    stage = Stage()
    async with stage.server, stage.client:
        yield stage


@asynccontextmanager
async def plain_handler() -> AsyncIterator[Stage]:
    async with connected() as stage:
        stage.ask = lambda: stage.client.request("plain")
        yield stage


@asynccontextmanager
async def large_both_ways() -> AsyncIterator[Stage]:
    async with connected() as stage:
        stage.ask = lambda: stage.client.request(LARGE)
        yield stage


@asynccontextmanager
async def idempotent() -> AsyncIterator[Stage]:
    async with connected() as stage:
        stage.ask = lambda: stage.client.request("async", idempotent=True, timeout=30)
        yield stage


@asynccontextmanager
async def nested() -> AsyncIterator[Stage]:
    async with connected() as stage:
        stage.ask = lambda: stage.client.request("nested")
        yield stage


@asynccontextmanager
async def from_the_server() -> AsyncIterator[Stage]:
    async with connected() as stage:
        stage.ask = lambda: stage.server.request("async")
        stage.ask_again = lambda: stage.server.request("plain")
        yield stage


@asynccontextmanager
async def not_connected_yet() -> AsyncIterator[Stage]:
    stage = Stage()
    async with stage.server:
        await stage.client.init(wait=False)
        try:
            yield stage
        finally:
            await stage.client.close()


@asynccontextmanager
async def no_client_yet() -> AsyncIterator[Stage]:
    stage = Stage()
    async with stage.server:
        await stage.client.init(wait=False)
        stage.ask = lambda: stage.server.request("async")
        stage.ask_again = lambda: stage.server.request("plain")
        try:
            yield stage
        finally:
            await stage.client.close()


@asynccontextmanager
async def outbox_full() -> AsyncIterator[Stage]:
    async with connected() as stage:
        stage.faulty.stall()
        filling = asyncio.ensure_future(fill(stage))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not filling.done()
        asyncio.get_running_loop().call_later(0, later(5, stage.faulty.resume))
        yield stage
        await filling
        await stage.settled()
        assert stage.thrown == [f"throw {number} {'x' * 100}" for number in range(200)]


@asynccontextmanager
async def link_lost() -> AsyncIterator[Stage]:
    async with connected() as stage:
        asyncio.get_running_loop().call_later(0, later(4, stage.faulty.cut))
        yield stage


async def fill(stage: Stage) -> None:
    for number in range(200):
        await stage.client.throw(f"throw {number} {'x' * 100}")


def later(turns: int, action: Callable[[], None]) -> Callable[[], None]:
    """Return a callback that does *action* after some turns of the loop."""

    def turn() -> None:
        nonlocal turns
        turns -= 1
        if turns < 0:
            action()
        else:
            asyncio.get_running_loop().call_soon(turn)

    return turn


SITUATIONS = (
    connected,
    plain_handler,
    large_both_ways,
    idempotent,
    nested,
    from_the_server,
    not_connected_yet,
    no_client_yet,
    outbox_full,
    link_lost,
)


async def cancel_after(turns: int, situation: Situation) -> bool:
    """Cancel a request after so many turns; return whether it was too late for that."""
    async with situation() as stage:
        task = asyncio.ensure_future(stage.ask())
        for _ in range(turns):
            await asyncio.sleep(0)
        too_late = task.done()
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done, "it ends"
        assert task.cancelled() != too_late
        if not too_late:
            # Once more, at once: what was cancelled must not stand in the way.
            again = asyncio.ensure_future(stage.ask_again())
            assert await asyncio.wait_for(again, 40) == "plain"
        await stage.settled()
    return too_late


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_cancelled_at_every_point(situation: Situation) -> None:
    async def main() -> int:
        for turns in itertools.count():
            if await cancel_after(turns, situation):
                return turns
        raise AssertionError

    assert run_with_virtual_clock(main()) > 2


async def throw_after(turns: int) -> bool:
    """Cancel a throw that waits for room after so many turns."""
    async with connected() as stage:
        stage.faulty.stall()
        filling = asyncio.ensure_future(fill(stage))
        for _ in range(10):
            await asyncio.sleep(0)
        waiting = asyncio.ensure_future(stage.client.throw("throw last"))
        asyncio.get_running_loop().call_later(0, later(5, stage.faulty.resume))
        for _ in range(turns):
            await asyncio.sleep(0)
        too_late = waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        sent = not waiting.cancelled()
        await filling
        await stage.settled()
        assert ("throw last" in stage.thrown) is sent, "if it is cancelled, nothing was sent"
        assert len(stage.thrown) == 200 + sent
    return too_late


def test_a_cancelled_throw_was_not_sent() -> None:
    async def main() -> int:
        for turns in itertools.count():
            if await throw_after(turns):
                return turns
        raise AssertionError

    assert run_with_virtual_clock(main()) > 5


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_timed_out_at_once(situation: Situation) -> None:
    """A timeout that is as short as can be ends the request, and leaves nothing behind."""

    async def main() -> None:
        async with situation() as stage:
            for timeout in (0.0, 1e-6, 1e-3):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(timeout):
                        await stage.ask()
                with contextlib.suppress(RequestTimeout):
                    await stage.client.request("async", timeout=timeout)
            assert await stage.ask_again() == "plain"
            await stage.settled()

    run_with_virtual_clock(main())
