from __future__ import annotations

import asyncio
from typing import Any

import pytest

from communica_like import (
    Backoff,
    Link,
    LinkReceiver,
    MemoryConnector,
    SimpleClient,
    SimpleServer,
    TcpConnector,
)
from communica_like.testing import FaultyConnector


class Ear:
    def __init__(self) -> None:
        self.heard = b""
        self.breaks: list[Exception | None] = []
        self.writable = 0

    def data_received(self, data: bytes) -> None:
        assert not self.breaks
        self.heard += data

    def link_writable(self) -> None:
        self.writable += 1

    def link_broken(self, error: Exception | None) -> None:
        self.breaks.append(error)


class Ends:
    """Both ends of a link, with a faulty connector on one side or the other."""

    def __init__(self, faulty: FaultyConnector, *, faulty_server: bool) -> None:
        self.near, self.far = Ear(), Ear()
        self._server = faulty if faulty_server else faulty.inner
        self._client = faulty.inner if faulty_server else faulty

    async def open(self) -> None:
        def accept(link: Link) -> LinkReceiver:
            self.far_link = link
            return self.far

        listener = await self._server.listen(accept)
        self.near_link = await self._client.connect(self.near)
        await listener.close()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("faulty_server", [False, True])
@pytest.mark.parametrize("from_near", [False, True])
@pytest.mark.parametrize("size", [1, 10, 99])
async def test_a_link_breaks_in_the_middle(faulty_server: bool, from_near: bool, size: int) -> None:
    faulty = FaultyConnector(MemoryConnector(), cut_after=(200, 200))
    ends = Ends(faulty, faulty_server=faulty_server)
    await ends.open()
    sender, ear = (ends.near_link, ends.far) if from_near else (ends.far_link, ends.near)
    for number in range(0, 300, size):
        sender.send(bytes([number % 256]) * size)
        await turns()
    assert len(ear.heard) == 200
    assert len(ends.near.breaks) == len(ends.far.breaks) == 1, "both ends hear of it, once"
    assert faulty.cuts == 1


async def test_nothing_arrives_after_a_cut() -> None:
    """A link may deliver several times in one turn of the loop, as one with TLS does."""
    faulty = FaultyConnector(MemoryConnector(), cut_after=(100, 100))
    ends = Ends(faulty, faulty_server=False)
    await ends.open()
    near: Any = ends.near_link
    near.data_received(b"x" * 150)
    near.data_received(b"y" * 10)
    assert ends.near.heard == b"x" * 100
    await turns()
    assert ends.near.heard == b"x" * 100
    assert len(ends.near.breaks) == len(ends.far.breaks) == 1


class EarlyConnector(MemoryConnector):
    """Delivers something before ``connect`` returns."""

    async def connect(self, receiver: LinkReceiver) -> Link:
        link = await super().connect(receiver)
        receiver.data_received(b"x" * 50)
        return link


async def test_what_comes_before_the_link_is_not_cut() -> None:
    """There is no link to break yet: the rest of the bytes would be lost on a link that goes on."""
    faulty = FaultyConnector(EarlyConnector(), cut_after=(10, 10))
    ends = Ends(faulty, faulty_server=False)
    await ends.open()
    assert ends.near.heard == b"x" * 50
    assert faulty.cuts == 0
    ends.near_link.send(b"more")
    await turns()
    assert faulty.cuts == len(ends.near.breaks) == len(ends.far.breaks) == 1


async def test_a_stall_holds_up_what_comes_before_the_link() -> None:
    faulty = FaultyConnector(EarlyConnector(), cut_after=(10**9, 10**9))
    ends = Ends(faulty, faulty_server=False)
    faulty.stall()
    await ends.open()
    await turns()
    assert ends.near.heard == b""
    faulty.resume()
    assert ends.near.heard == b"x" * 50


async def test_the_same_seed_gives_the_same_cuts() -> None:
    async def lengths(seed: int) -> list[int]:
        faulty = FaultyConnector(MemoryConnector(), seed=seed, cut_after=(1, 1000))
        found = []
        for _ in range(5):
            ends = Ends(faulty, faulty_server=False)
            await ends.open()
            ends.near_link.send(bytes(2000))
            await turns()
            found.append(len(ends.far.heard))
        return found

    assert await lengths(1) == await lengths(1) != await lengths(2)


async def test_cutting_can_be_switched_off() -> None:
    faulty = FaultyConnector(MemoryConnector(), cut_after=(0, 0))
    faulty.cutting = False
    ends = Ends(faulty, faulty_server=False)
    await ends.open()
    ends.near_link.send(bytes(5000))
    await turns()
    assert len(ends.far.heard) == 5000
    faulty.cut()
    await turns()
    assert len(ends.near.breaks) == len(ends.far.breaks) == faulty.cuts == 1
    faulty.cut()
    assert faulty.cuts == 1, "what is broken cannot be cut"


async def test_a_stall_holds_everything_up() -> None:
    faulty = FaultyConnector(MemoryConnector(), cut_after=(10**9, 10**9))
    ends = Ends(faulty, faulty_server=False)
    await ends.open()
    faulty.stall()
    ends.near_link.send(b"to the far end")
    ends.far_link.send(b"to the near end")
    await turns()
    assert ends.near.heard == ends.far.heard == b""
    ends.near_link.send(bytes(100_000))
    assert not ends.near_link.writable
    faulty.resume()
    await turns()
    assert ends.near.heard == b"to the near end"
    assert ends.far.heard == b"to the far end" + bytes(100_000)
    assert ends.near.writable == 1
    assert ends.near_link.writable


async def test_it_stands_for_its_inner_connector() -> None:
    inner = TcpConnector("127.0.0.1", 1, authkey=b"key")
    faulty = FaultyConnector(inner)
    assert faulty.authkey == b"key"
    assert faulty.dump_state() == "tcp://127.0.0.1:1"
    assert faulty.guarantees is inner.guarantees
    assert faulty.handshake_timeout == inner.handshake_timeout
    assert faulty.reconnects is True
    assert "TcpConnector" in repr(faulty)
    assert "key'" not in repr(faulty)
    with pytest.raises(ValueError, match="no URL of its own"):
        FaultyConnector.load_state("tcp://127.0.0.1:1")
    with pytest.raises(ValueError, match="low <= high"):
        FaultyConnector(inner, cut_after=(2, 1))


async def test_sessions_survive_it() -> None:
    memory = MemoryConnector()
    faulty = FaultyConnector(memory, seed=3, cut_after=(300, 1000))
    got: list[int] = []
    async with SimpleServer(memory, got.append):
        async with SimpleClient(faulty, backoff=Backoff(initial=0.001, maximum=0.002)) as client:
            for number in range(500):
                await client.throw(number)
                if number % 10 == 0:
                    await asyncio.sleep(0)
            faulty.cutting = False
    assert got == list(range(500))
    assert faulty.cuts > 10
