"""How clients find servers over kernel queues and pipes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
from pathlib import Path

import pytest

from communica_like.abc import Connector
from communica_like.connectors import PosixMQConnector, SysVConnector
from communica_like.exceptions import AddressInUse, FeatureNotAvailable, LinkRefused
from communica_like.system import AddressLock
from tests.connectors.actor import Actor
from tests.connectors.kernel.rendezvous_queues import foreign, rendezvous_queue, works
from tests.connectors.recorder import PATIENCE, Recorder, eventually, serving
from tests.private_state import entries_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has them all")


async def test_nobody_serves(connector: Connector, state: Path) -> None:
    for _ in range(3):
        with pytest.raises(LinkRefused, match="no server listens"):
            await connector.connect(Recorder())
    async with serving(connector):
        pass
    with pytest.raises(LinkRefused):
        await connector.connect(Recorder())
    assert entries_of(state) == []


async def test_a_server_of_this_process_has_it(connector: Connector, state: Path) -> None:
    async with serving(connector) as served:
        for _ in range(2):
            with pytest.raises(AddressInUse, match="live server"):
                await connector.listen(served.accept)
        assert len(entries_of(state)) == 1
        await works(connector, served)


async def test_a_server_of_another_process_has_it(connector: Connector, state: Path) -> None:
    async with Actor("serve", connector.dump_state(), "echo") as server:
        await server.line()
        with pytest.raises(AddressInUse, match="live server"):
            await connector.listen(lambda link: Recorder())
        link = await connector.connect(near := Recorder())
        link.send(b"hello")
        assert await near.until(5) == b"hello"
        assert link.peer.pid == server.pid
        assert link.peer.uid == os.getuid()
        link.close()
        await near.until_broken()


async def test_a_foreign_queue_is_neither_stolen_nor_destroyed(connector: Connector, state: Path) -> None:
    with foreign(connector) as other:
        other.put_nowait(b"precious")
        with pytest.raises(AddressInUse, match="no server of"):
            await connector.listen(lambda link: Recorder())
        with pytest.raises(LinkRefused):
            await connector.connect(Recorder())
        assert other.get_nowait() == b"precious"
        rendezvous_queue(connector).close()  # it has its name still
        assert entries_of(state) == []
        assert AddressLock.owner(connector.dump_state()) is None
    async with serving(connector) as served:
        await works(connector, served)


async def test_a_full_rendezvous_queue(connector: Connector, state: Path) -> None:
    """A client that finds it full waits, and leaves nothing if it is cancelled."""
    async with Actor("serve", connector.dump_state(), "echo") as server:
        await server.line()
        await server.stop()
        async with rendezvous_queue(connector) as requests:
            for size in (500, 20, 1):
                with contextlib.suppress(queue.Full):
                    while True:
                        requests.put_nowait(b" " * size)
        entries = entries_of(state)
        impatient = [asyncio.ensure_future(connector.connect(Recorder())) for _ in range(3)]
        await eventually(lambda: len(entries_of(state)) >= len(entries) + 6)
        for task in impatient:
            task.cancel()
        await asyncio.wait(impatient)
        assert all(task.cancelled() for task in impatient)
        assert entries_of(state) == entries
        patient = [asyncio.ensure_future(connector.connect(Recorder())) for _ in range(3)]
        await eventually(lambda: len(entries_of(state)) >= len(entries) + 6)
        await server.kill()
        for error in await asyncio.wait_for(asyncio.gather(*patient, return_exceptions=True), PATIENCE):
            assert isinstance(error, LinkRefused), "the server has died"
        assert entries_of(state) == entries


async def test_connect_cancelled_at_every_step(connector: Connector, state: Path) -> None:
    async with serving(connector):
        [entry] = entries_of(state)
        before = len(os.listdir("/proc/self/fd"))
        for turns in range(6):
            near = Recorder()
            task = asyncio.ensure_future(connector.connect(near))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await task).abort()
                await near.until_broken()
        await eventually(lambda: entries_of(state) == [entry])
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


@pytest.mark.parametrize(
    "package, connector", [("posix_ipc", PosixMQConnector("/cl-test-none")), ("sysv_ipc", SysVConnector(77))]
)
async def test_a_package_is_missing(
    package: str, connector: Connector, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FeatureNotAvailable, match="pip install"):
        await connector.connect(Recorder())
    with pytest.raises(FeatureNotAvailable, match="pip install"):
        await connector.listen(lambda link: Recorder())
    assert list(state.iterdir()) == []
