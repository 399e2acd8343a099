from __future__ import annotations

import asyncio
import dataclasses
import os
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like import MemoryConnector, connector_from
from communica_like.exceptions import AddressInUse, LinkRefused
from tests.connectors.recorder import Recorder, serving


@given(st.text(min_size=1))
def test_any_name_goes_round(name: str) -> None:
    connector = MemoryConnector(name)
    assert connector_from(connector.dump_state()) == connector
    assert pickle.loads(pickle.dumps(connector)) == connector


def test_values() -> None:
    one, same, keyed = MemoryConnector("a"), MemoryConnector("a"), MemoryConnector("a", b"key")
    assert one == same
    assert hash(one) == hash(same)
    assert one != keyed
    assert pickle.loads(pickle.dumps(keyed)).authkey == b"key"
    assert MemoryConnector() != MemoryConnector()
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "b"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", None, 5, b"x"])
def test_a_name_is_text(name: Any) -> None:
    with pytest.raises(ValueError, match="non-empty text"):
        MemoryConnector(name)


async def test_bytes_arrive_in_the_next_turn_joined() -> None:
    async with serving(MemoryConnector("x")) as served:
        near = Recorder()
        link = await MemoryConnector("x").connect(near)
        _, far = await served.link()
        link.send(b"ab")
        link.send(b"cd")
        assert far.data == b""
        assert await far.until(4) == b"abcd"
        served.links[0].send(b"back")
        assert await near.until(4) == b"back"
        assert link.peer.transport == "memory"
        assert link.peer.pid == os.getpid()


async def test_close_delivers_and_then_both_hear_of_it() -> None:
    async with serving(MemoryConnector("x")) as served:
        near = Recorder()
        link = await MemoryConnector("x").connect(near)
        link.send(b"last words")
        link.close()
        link.close()
        link.send(b"too late")
        _, far = await served.link()
        await near.until_broken()
        await far.until_broken()
        assert far.data == b"last words"
        assert (near.error, far.error) == (None, None)


async def test_abort_drops() -> None:
    async with serving(MemoryConnector("x")) as served:
        near = Recorder()
        link = await MemoryConnector("x").connect(near)
        _, far = await served.link()
        link.send(b"never")
        link.abort()
        assert not near.broken.is_set()
        await near.until_broken()
        await far.until_broken()
        assert far.data == b""
        assert not link.writable


async def test_it_says_when_it_holds_too_much() -> None:
    async with serving(MemoryConnector("x")) as served:
        near = Recorder()
        link = await MemoryConnector("x").connect(near)
        link.send(bytes(255 * 1024))
        states = [link.writable]
        link.send(bytes(1024))
        states.append(link.writable)
        await asyncio.wait_for(near.writable.wait(), 40)
        assert [*states, link.writable] == [True, False, True]
        assert len(served.recorders[0].data) == 256 * 1024


async def test_nobody_serves() -> None:
    with pytest.raises(LinkRefused, match="memory://nobody"):
        await MemoryConnector("nobody").connect(Recorder())


async def test_one_server_at_a_time() -> None:
    async with serving(MemoryConnector("x")) as served:
        assert served.listener.address == "memory://x"
        with pytest.raises(AddressInUse, match="memory://x"):
            await MemoryConnector("x").listen(served.accept)
        await served.listener.close()
        async with serving(MemoryConnector("x")) as second:
            await served.listener.close()  # not the second's
            await MemoryConnector("x").connect(Recorder())
            assert len(second.links) == 1


def test_another_loop() -> None:
    async def listen() -> None:
        await MemoryConnector("other-loop").listen(lambda link: Recorder())

    async def connect() -> None:
        await MemoryConnector("other-loop").connect(Recorder())

    async def register_reused() -> None:
        listener = await MemoryConnector("other-loop").listen(lambda link: Recorder())
        await listener.close()

    asyncio.run(listen())
    with pytest.raises(LinkRefused, match="another event loop"):
        asyncio.run(connect())
    asyncio.run(register_reused())
