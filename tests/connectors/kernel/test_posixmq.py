from __future__ import annotations

import asyncio
import dataclasses
import os
import pickle
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like import connector_from
from communica_like.connectors import PosixMQConnector
from communica_like.exceptions import QueueLimitReached
from communica_like.system import reap
from tests.connectors.recorder import Recorder, serving
from tests.private_state import entries_of
from tests.system.forked import run_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no such queues")


@pytest.mark.parametrize(
    "name",
    ["", "/", "x", "x/", "/a/b", "//", "/a\0", "/" + "x" * 255, "/" + "é" * 128, b"/x", None, "/\udc80"],
)
def test_no_names(name: Any) -> None:
    with pytest.raises(ValueError, match="name"):
        PosixMQConnector(name)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=63))
def test_all_names(name: str) -> None:
    connector = PosixMQConnector(f"/{name}")
    url = connector.dump_state()
    assert url.isascii()
    assert connector_from(url) == connector


def test_values() -> None:
    connector = PosixMQConnector("/a", b"secret")
    assert connector == PosixMQConnector("/a", b"secret") != PosixMQConnector("/a")
    assert len({connector, PosixMQConnector("/a", b"secret"), PosixMQConnector("/a")}) == 2
    assert "secret" not in repr(connector)
    assert connector.dump_state() == "posixmq:///a"
    assert connector_from("posixmq:///a", authkey=b"secret") == connector
    assert pickle.loads(pickle.dumps(connector)) == connector
    assert connector.guarantees.verifies_user
    with pytest.raises(dataclasses.FrozenInstanceError):
        connector.name = "/b"  # type: ignore[misc]


@pytest.mark.parametrize("start", ["/...", "/ a\n\t", "/é%2F", "/" + "x" * 242])
async def test_odd_names(start: str, state: Path) -> None:
    name = start + secrets.token_hex(6)
    connector = PosixMQConnector(name)
    async with serving(connector) as served:
        link = await connector_from(served.listener.address).connect(near := Recorder())
        link.send(b"hello")
        _, far = await served.link()
        assert await far.until(5) == b"hello"
        link.abort()
        await near.until_broken()

    def serve_and_die() -> None:
        asyncio.run(connector.listen(lambda link: Recorder()))

    assert run_all(serve_and_die) == [0]
    assert len(entries_of(state)) == 1
    assert reap() == [f"posixmq {name}"]


@pytest.mark.parametrize("file, limit", [("msg_max", 9), ("msgsize_max", 1000)])
async def test_a_limit_on_listening(
    state: Path, monkeypatch: pytest.MonkeyPatch, file: str, limit: int
) -> None:
    """The message says which limit it is, its value, and how to raise it."""
    import posix_ipc

    def refuse(*args: Any, **kwargs: Any) -> Any:
        if args[1]:
            raise ValueError("Invalid parameter(s)")
        raise posix_ipc.ExistentialError("none")

    monkeypatch.setattr(posix_ipc, "MessageQueue", refuse)
    limits = {f"fs.mqueue.{file}": limit}
    monkeypatch.setattr("communica_like.queues.posixmq.sysctl", lambda name: limits.get(name, 1_000_000))
    with pytest.raises(QueueLimitReached, match=rf"{limit}: raise fs.mqueue.{file} with sysctl"):
        await PosixMQConnector(f"/cl-test-{os.getpid()}").listen(lambda link: Recorder())
    assert entries_of(state) == []
