from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from communica_like import LocalConnector, TcpConnector
from communica_like.abc import Connector, Link
from communica_like.exceptions import AddressInUse
from communica_like.system import fork
from tests.connectors.recorder import Recorder, serving
from tests.system.forked import run_all

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="no fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


class Child:
    """A forked child that does nothing until it is told to end."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._writing)
            os.read(reading, 1)
            os._exit(0)
        os.close(reading)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._writing)
        os.waitpid(self._pid, 0)


@pytest.mark.parametrize("kind", ["local", "tcp"])
async def test_a_child_keeps_neither_links_nor_addresses(kind: str, tmp_path: Path) -> None:
    connector: Connector = LocalConnector(str(tmp_path / "s"))
    if kind == "tcp":
        connector = TcpConnector("127.0.0.1", 0)
    async with serving(connector) as served:
        target = type(connector).load_state(served.listener.address)
        near = Recorder()
        link = await target.connect(near)
        _, far = await served.link()
        with Child():
            link.close()
            await near.until_broken()
            await far.until_broken()  # it would not, if the child had the socket
            await served.listener.close()
            async with serving(target):
                with pytest.raises(AddressInUse):
                    await target.listen(lambda link: Recorder())


async def test_a_lock_ends_with_its_owner_though_a_child_lives(tmp_path: Path) -> None:
    connector = LocalConnector(str(tmp_path / "s"))
    async with serving(connector) as served:
        with Child():
            # As if this process were killed: the descriptors close, nothing is removed.
            await served.listener.close()
            async with serving(connector):
                pass


def test_forgotten_descriptors_are_left_alone() -> None:
    left, right = socket.socketpair()
    with left, right:
        fork.add(left.fileno())
        fork.add(right.fileno())
        fork.discard(left.fileno())
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            kept = [os.fstat(each.fileno()).st_rdev == os.stat(os.devnull).st_rdev for each in (left, right)]
            os.write(writing, repr(kept).encode())
            os._exit(0)
        os.waitpid(child, 0)
        fork.discard(right.fileno())
        assert os.read(reading, 100) == b"[False, True]"
        os.close(reading)
        os.close(writing)


async def test_descriptors_are_forgotten(tmp_path: Path) -> None:
    before = set(fork._descriptors)
    async with serving(LocalConnector(str(tmp_path / "s"))) as served:
        link: Link = await LocalConnector(str(tmp_path / "s")).connect(near := Recorder())
        await served.link()
        assert len(fork._descriptors) == len(before) + 4
        link.abort()
        await near.until_broken()
    await asyncio.sleep(0)
    assert fork._descriptors == before


def test_objects_are_reset_in_children_in_order_while_they_exist() -> None:
    class Thing:
        """Something that may be referenced weakly."""

    first, second, gone = Thing(), Thing(), Thing()
    seen: list[str] = []
    fork.reset_in_child(first, lambda _: seen.append("replaced"))
    fork.reset_in_child(second, lambda _: seen.append("second"))
    fork.reset_in_child(gone, lambda _: seen.append("gone"))
    fork.reset_in_child(first, lambda _: seen.append("first"))
    del gone
    generation = fork.generation

    def child() -> None:
        assert seen == ["first", "second"]
        assert fork.generation == generation + 1

    assert run_all(child) == [0]
    assert seen == []
    assert fork.generation == generation
