from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from communica_like.testing import CuttingProxy


@asynccontextmanager
async def echo_server() -> AsyncIterator[tuple[str, int]]:
    serving: set[asyncio.Task[None] | None] = set()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        await closed(writer)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()
        await asyncio.gather(*(task for task in serving if task is not None))


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        pass


async def exchange(address: object, data: bytes) -> bytes:
    """Send *data*, and return what comes back before the connection ends or all is there."""
    if isinstance(address, str):
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        assert isinstance(address, tuple)
        reader, writer = await asyncio.open_connection(*address)
    back = b""
    try:
        writer.write(data)
        while len(back) < len(data) and (piece := await reader.read(65536)):
            back += piece
    except ConnectionError:
        pass
    await closed(writer)
    return back


async def test_it_passes_on() -> None:
    blob = bytes(range(256)) * 4000
    async with echo_server() as target, CuttingProxy(target) as proxy:
        proxy.cutting = False
        assert await asyncio.gather(*(exchange(proxy.address, blob) for _ in range(5))) == [blob] * 5
        assert proxy.cuts == 0


async def test_it_cuts() -> None:
    blob = bytes(range(256)) * 100
    async with echo_server() as target, CuttingProxy(target, cut_after=(1, 40_000)) as proxy:
        proxy.max_cuts = 20
        for _ in range(20):
            back = await exchange(proxy.address, blob)
            assert len(back) < len(blob)
            assert blob.startswith(back)
        assert proxy.cuts == 20
        assert await exchange(proxy.address, blob) == blob, "max_cuts"


async def test_it_cuts_by_hand() -> None:
    async with echo_server() as target, CuttingProxy(target, cut_after=(10**9, 10**9)) as proxy:
        assert isinstance(proxy.address, tuple)
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        proxy.cut()
        assert await reader.read() == b""
        assert proxy.cuts == 1
        await closed(writer)


async def test_a_target_that_is_not_there() -> None:
    async with echo_server() as target:
        pass
    async with CuttingProxy(target) as proxy:
        assert await exchange(proxy.address, b"hello") == b""


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets")
async def test_unix_sockets() -> None:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        inner, outer = f"{folder}/inner", f"{folder}/outer"
        async with echo_server() as target, CuttingProxy(target, listen=inner) as one:
            async with CuttingProxy(inner, listen=outer, cut_after=(100, 100)) as two:
                one.cutting = False
                assert len(await exchange(outer, b"x" * 200)) < 200
                assert two.cuts == 1
        assert os.listdir(folder) == []
