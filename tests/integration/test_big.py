"""Big messages, many of them, and two who want the same name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from communica_like import (
    ConnectionLost,
    Context,
    Limits,
    LocalConnector,
    MemoryConnector,
    MessageTooBig,
    Serializer,
    SimpleClient,
    SimpleServer,
)
from communica_like.exceptions import ClientIdInUse

MIB = 1024 * 1024


class Raw(Serializer):
    """Bytes as they are."""

    def dump(self, obj: bytes, /) -> bytes:
        return obj

    def load(self, data: bytes, /) -> bytes:
        return data


async def test_over_128_mib_is_refused_before_it_is_sent() -> None:
    memory = MemoryConnector()
    async with SimpleServer(memory, lambda data: b"", Raw()) as server:
        async with SimpleClient(memory, lambda data: b"", Raw()) as client:
            too_big = bytes(128 * MIB + 1)
            for call in (client.request, client.throw, server.request, server.throw):
                with pytest.raises(MessageTooBig, match="134217729 bytes; at most 134217728"):
                    await call(too_big)
            assert await client.request(b"") == b""


async def test_exactly_128_mib_passes(folder: Path) -> None:
    connector = LocalConnector(str(folder / "socket"))
    async with SimpleServer(connector, lambda data: data, Raw()):
        async with SimpleClient(connector, serializer=Raw()) as client:
            data = bytes(128 * MIB)
            assert await client.request(data) == data


async def test_an_answer_that_is_too_big() -> None:
    """It costs its requester an error, and nobody else anything."""
    memory = MemoryConnector()
    small = Limits(max_message=100_000)
    async with SimpleServer(memory, lambda data: bytes(int(data)), Raw()):
        async with SimpleClient(memory, serializer=Raw(), limits=small) as client:
            others = [asyncio.ensure_future(client.request(b"100000")) for _ in range(20)]
            with pytest.raises(MessageTooBig, match=r"has 100001 bytes; the requester accepts 100000"):
                await client.request(b"100001")
            assert await asyncio.gather(*others) == [bytes(100_000)] * 20


async def test_two_clients_with_one_id_refused(folder: Path) -> None:
    connector = LocalConnector(str(folder / "socket"))
    async with SimpleServer(connector, lambda data: data) as server:
        async with SimpleClient(connector, client_id="twin") as first:
            with pytest.raises(ClientIdInUse, match="twin"):
                await SimpleClient(connector, client_id="twin").init()
            assert await first.request("I") == "I"
            assert [info.client_id for info in server.clients] == ["twin"]
        # When the first is gone, the name is free.
        async with SimpleClient(connector, client_id="twin") as second:
            assert await second.request("me") == "me"


async def test_two_clients_with_one_id_replaced(folder: Path) -> None:
    connector = LocalConnector(str(folder / "socket"))
    ended = asyncio.Event()

    async def handle(data: str, context: Context) -> str:
        if data == "wait":
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
        return data

    async with SimpleServer(connector, handle, duplicate_clients="replace"):
        async with SimpleClient(connector, client_id="twin") as first:
            waiting = asyncio.ensure_future(first.request("wait"))
            assert await first.request("I") == "I"
            async with SimpleClient(connector, client_id="twin") as second:
                assert await second.request("me") == "me"
                with pytest.raises(ConnectionLost, match="took over"):
                    await asyncio.wait_for(waiting, 40)
                await asyncio.wait_for(ended.wait(), 40)
                # The first does not fight back: it says why it stopped.
                with pytest.raises(ClientIdInUse):
                    await asyncio.wait_for(first.request("I again"), 40)
                assert await second.request("still me") == "still me"
