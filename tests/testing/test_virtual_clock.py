from __future__ import annotations

import asyncio
import socket
import time

import pytest

from communica_like import Backoff, Limits, MemoryConnector, RequestTimeout, SimpleClient, SimpleServer
from communica_like.exceptions import ConnectTimeout
from communica_like.testing import VirtualClockLoop, run_with_virtual_clock


def test_hours_pass_in_no_time() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualClockLoop)
        began = loop.time()
        await asyncio.sleep(3600)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100_000):
                await asyncio.Event().wait()
        return loop.time() - began

    began = time.monotonic()
    assert run_with_virtual_clock(main()) == pytest.approx(103_600)
    assert time.monotonic() - began < 5


def test_timers_keep_their_order() -> None:
    async def main() -> list[int]:
        order: list[int] = []
        loop = asyncio.get_running_loop()
        for delay in (3, 1, 2, 0):
            loop.call_later(delay, order.append, delay)
        await asyncio.sleep(4)
        return order

    assert run_with_virtual_clock(main()) == [0, 1, 2, 3]


def test_sockets_work() -> None:
    async def main() -> bytes:
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            far.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(near, b"hello")
            return await loop.sock_recv(far, 10)

    assert run_with_virtual_clock(main()) == b"hello"


def test_entities_keep_virtual_time() -> None:
    """Heartbeats keep an idle link for two hours; a timeout of an hour comes after an hour."""

    async def never(data: object) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        memory = MemoryConnector()
        loop = asyncio.get_running_loop()
        async with SimpleServer(memory, never) as server, SimpleClient(memory) as client:
            await asyncio.sleep(7_200)
            assert client.connected
            assert len(server.clients) == 1
            began = loop.time()
            with pytest.raises(RequestTimeout):
                await client.request(None, timeout=3600)
            assert loop.time() - began == pytest.approx(3600, abs=0.1)

    run_with_virtual_clock(main())


def test_a_client_waits_for_its_server() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        client = SimpleClient(MemoryConnector(), backoff=Backoff(maximum=60), limits=Limits())
        with pytest.raises(ConnectTimeout, match="no server listens"):
            await client.init(timeout=7200)
        return loop.time() - began

    assert run_with_virtual_clock(main()) == pytest.approx(7200, abs=1)
