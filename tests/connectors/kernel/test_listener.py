"""A server that takes connect requests, and what must not harm it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from communica_like.abc import Connector
from communica_like.connectors.kernel import connector as connector_module
from communica_like.connectors.kernel.connector import RendezvousListener
from communica_like.connectors.kernel.fifo_pipes import FifoPair
from communica_like.connectors.kernel.posixmq import PosixMQPair
from communica_like.connectors.kernel.rendezvous import ConnectRequest
from communica_like.connectors.kernel.sysv import SysVPair
from communica_like.exceptions import LinkError, LinkRefused
from communica_like.system import AddressLock, ProcessId
from tests.connectors.actor import Actor
from tests.connectors.kernel.rendezvous_queues import rendezvous_queue, works
from tests.connectors.recorder import PATIENCE, Recorder, eventually, serving
from tests.private_state import entries_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has them all")


PAIRS: dict[str, Any] = {"posixmq": PosixMQPair, "sysv": SysVPair, "fifo": FifoPair}


def bad_requests(connector: Connector) -> list[bytes]:
    """What is no request, or one whose client is not waiting."""
    own, init, token = ProcessId.own(), ProcessId.of(1), "0" * 24
    endpoints = {"sysv": ["1", "2", token]}.get(connector.scheme, [token])
    dead = own._replace(start=own.start + 1)
    elsewhere = own._replace(namespace=own.namespace + 1, pid=10**40)
    texts: list[Any] = [
        [], {}, 5, None, "x", [2, str(own), *endpoints], [1], [1, 5], [1, "x"], [1, str(own), 5],
        [1, str(own)],
        [1, str(own), "../../x"], [1, str(own), token, token], [1, str(own), "\ud800" * 24],
        [1, str(own), "0", "0", token], [1, str(own), "9" * 900, "1", token], [1, str(own), "²", "1", token],
        [1, str(own), *endpoints], [1, str(dead), *endpoints], [1, str(elsewhere), *endpoints],
        [1, f"1.{init.start if init else 0}.{own.namespace}", *endpoints],
    ]  # fmt: skip
    return [b"\xff\xfe", b"{", b"[" * 900, bytes(20), *[json.dumps(each).encode() for each in texts]]


async def test_what_a_server_leaves_that_is_only_just_dying(
    connector: Connector, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    """The kernel takes a killed process's locks away some time before it says that it is dead."""
    reaps = 0

    def reap() -> list[str]:
        nonlocal reaps
        reaps += 1
        if reaps == 4:
            made.unlink()
        return []

    made: Any = rendezvous_queue(connector, create=True)
    monkeypatch.setattr(connector_module, "reap", reap)
    async with serving(connector) as served:
        assert reaps == 4
        await works(connector, served)
    made.close()


async def test_garbage_and_stale_requests(connector: Connector) -> None:
    async with serving(connector) as served:
        async with rendezvous_queue(connector) as requests:
            for data in [*bad_requests(connector), b""]:
                await requests.put(data, timeout=PATIENCE)
            await eventually(lambda: requests.qsize() == 0)
        await works(connector, served)
        assert len(served.links) == 1


async def test_a_request_that_names_the_wrong_process(connector: Connector) -> None:
    """The kernel watches whom the request names; whether the link lasts is up to those who have it."""
    async with serving(connector) as served:
        pair = PAIRS[connector.scheme].make()
        async with Actor("lurk", "-") as other, rendezvous_queue(connector) as requests:
            await other.line()
            process = ProcessId.of(other.pid)
            assert process is not None
            await requests.put(ConnectRequest(process, pair.endpoints).encode())
            _, far = await served.link()
            await other.kill()
            await far.until_broken()
            assert "ended" in str(far.error)
        pair.remove()
        await works(connector, served)


async def test_a_flood_of_requests_does_not_stop_the_loop(
    connector: Connector, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = 0
    really_open = RendezvousListener._answer

    def count(listener: RendezvousListener, data: bytes) -> None:
        nonlocal opened
        opened += 1
        really_open(listener, data)

    monkeypatch.setattr(RendezvousListener, "_answer", count)
    async with (
        serving(connector) as served,
        Actor("flood", connector.dump_state(), "-") as other,
    ):
        assert await other.line() == "flooding"
        most = 0
        async with asyncio.timeout(30):
            while opened < 100:
                before = opened
                await asyncio.sleep(0)
                most = max(most, opened - before)
        assert most == 1, "one in each turn of the loop"
        await other.kill()
        await works(connector, served)


async def test_the_state_directory_is_removed_under_it(
    connector: Connector, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector_module, "_CHECK_INTERVAL", 0.02)
    async with serving(connector) as served:
        link = await connector.connect(near := Recorder())
        far_link, far = await served.link()
        for path in state.iterdir():
            path.unlink()
        state.rmdir()
        link.send(b"hello")
        assert await far.until(5) == b"hello"
        far_link.send(b"hello")
        assert await near.until(5) == b"hello"
        await eventually(lambda: AddressLock.owner(connector.dump_state()) is not None)
        assert len(entries_of(state)) == 1, "the server's queue is in it again"
        await works(connector, served)
        link.close()
        await near.until_broken()
    await eventually(lambda: entries_of(state) == [])


@pytest.mark.parametrize("what", ["announce", "register"])
async def test_no_room_to_write_it_down(
    connector: Connector, state: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if what == "announce":
            patch.setattr(AddressLock, "announce", fail)
        else:
            patch.setattr(connector_module, "register_reused", fail)
        with pytest.raises(LinkError, match="No space"):
            await connector.listen(lambda link: Recorder())
    assert entries_of(state) == []
    async with serving(connector) as served:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", fail)
            with pytest.raises(LinkError, match="No space"):
                await connector.connect(Recorder())
        assert len(entries_of(state)) == 1
        await works(connector, served)


async def test_close_with_clients_at_its_listener(connector: Connector, state: Path) -> None:
    """They learn of it at once, and the close is not cut short by its being cancelled."""
    served = serving(connector)
    here = await served.__aenter__()
    nears = [Recorder() for _ in range(3)]
    links = [await connector.connect(near) for near in nears]  # the server has not opened them yet
    closing = asyncio.ensure_future(here.listener.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    await here.listener.close()
    for link in here.links:
        link.close()
    for near in nears:
        await near.until_broken()
    assert len(links) == 3
    await served.__aexit__(None, None, None)
    await eventually(lambda: entries_of(state) == [])
    with pytest.raises(LinkRefused):
        await connector.connect(Recorder())
