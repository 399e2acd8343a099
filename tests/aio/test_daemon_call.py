from __future__ import annotations

import asyncio
import threading
import time

import pytest

from communica_like.aio.daemon_call import daemon_call

PATIENCE = 40.0


class Call:
    """A blocking call that ends when it is told to, and what became of its result."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.disposed = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.go.wait(PATIENCE)
        return "result"

    def dispose(self, result: str) -> None:
        assert result == "result"
        self.disposed.set()


async def test_the_result_or_the_exception() -> None:
    call = Call()
    call.go.set()
    assert await daemon_call(call, call.dispose) == "result"
    assert not call.disposed.is_set()

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await daemon_call(fail, lambda _: None)


async def test_cancelled_the_result_is_disposed_of() -> None:
    call = Call()
    calling = asyncio.create_task(daemon_call(call, call.dispose))
    await asyncio.sleep(0)
    calling.cancel()
    call.go.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(calling, PATIENCE)
    assert await asyncio.to_thread(call.disposed.wait, PATIENCE)


async def test_cancelled_at_any_time_the_result_is_returned_or_disposed_of() -> None:
    call = Call()
    call.go.set()
    for turns in range(200):
        call.disposed.clear()
        calling = asyncio.create_task(daemon_call(call, call.dispose))
        for _ in range(1 + turns % 20):
            await asyncio.sleep(0)
        calling.cancel()
        try:
            assert await calling == "result"
        except asyncio.CancelledError:
            assert await asyncio.to_thread(call.disposed.wait, PATIENCE)


def test_the_end_of_the_loop_does_not_wait() -> None:
    call = Call()

    async def leave() -> None:
        calling = asyncio.create_task(daemon_call(call, call.dispose))
        assert await asyncio.to_thread(call.begun.wait, PATIENCE)
        calling.cancel()

    began = time.monotonic()
    asyncio.run(leave())
    assert time.monotonic() - began < PATIENCE / 2
    call.go.set()
    assert call.disposed.wait(PATIENCE)
