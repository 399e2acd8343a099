from __future__ import annotations

import asyncio
import dataclasses
import os
import pickle
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from communica_like import connector_from
from communica_like.connectors import FifoConnector
from communica_like.exceptions import AddressInUse, FeatureNotAvailable, LinkError
from communica_like.system import reap
from tests.connectors.recorder import Recorder, serving
from tests.private_state import entries_of
from tests.system.forked import run_all

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such pipes")


@pytest.mark.parametrize("path", ["", "x", "./x", "../x", "/x/", "/", "/x\0", "/\udc80", b"/x"])
def test_no_paths(path: Any) -> None:
    with pytest.raises(ValueError, match="path"):
        FifoConnector(path)


def test_a_path_is_text_or_a_path() -> None:
    with pytest.raises(TypeError):
        FifoConnector(None)  # type: ignore[arg-type]


def test_values(tmp_path: Path) -> None:
    connector = FifoConnector("/a/b", b"secret")
    assert connector == FifoConnector("/a/b", b"secret") != FifoConnector("/a/b")
    assert len({connector, FifoConnector("/a/b", b"secret"), FifoConnector("/a/b")}) == 2
    assert "secret" not in repr(connector)
    assert connector.dump_state() == "fifo:///a/b"
    assert connector_from("fifo:///a/b", authkey=b"secret") == connector
    assert pickle.loads(pickle.dumps(connector)) == connector
    path: Any = tmp_path / "é %2F"
    assert FifoConnector(path).path == str(path)
    assert connector_from(FifoConnector(path).dump_state()) == FifoConnector(path)
    with pytest.raises(dataclasses.FrozenInstanceError):
        connector.path = "/b"  # type: ignore[misc]


async def test_the_pipe_is_there_while_it_is_served(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "rendezvous"
    async with serving(FifoConnector(str(path))):
        assert stat.S_ISFIFO(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


@pytest.mark.parametrize("what", ["file", "folder", "pipe", "link"])
async def test_something_else_is_there(state: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "rendezvous"
    if what == "file":
        path.write_text("precious")
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path, 0o640)
    else:
        path.symlink_to(tmp_path / "nowhere")
    before = path.lstat()
    with pytest.raises(AddressInUse, match="rendezvous exists"):
        await FifoConnector(str(path)).listen(lambda link: Recorder())
    assert os.path.samestat(before, path.lstat())
    assert before.st_mode == path.lstat().st_mode
    assert reap() == []
    assert path.is_symlink() or path.exists()


async def test_there_is_no_such_folder(state: Path, tmp_path: Path) -> None:
    connector = FifoConnector(str(tmp_path / "folder" / "rendezvous"))
    with pytest.raises(LinkError, match="No such file"):
        await connector.listen(lambda link: Recorder())
    assert entries_of(state) == []


async def test_its_folder_is_removed_under_it(
    state: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    connector = FifoConnector(str(folder / "rendezvous"))
    async with serving(connector):
        (folder / "rendezvous").unlink()
        folder.rmdir()
        folder.write_text("")  # what was a folder is a file: the path is no path at all
    assert caplog.text == ""
    folder.unlink()
    folder.mkdir()
    async with serving(connector):
        pass


async def test_a_killed_server_whose_path_is_no_path_any_more(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    connector = FifoConnector(str(folder / "rendezvous"))

    def serve_and_die() -> None:
        asyncio.run(connector.listen(lambda link: Recorder()))

    assert run_all(serve_and_die) == [0]
    (folder / "rendezvous").unlink()
    folder.rmdir()
    folder.write_text("")
    other = FifoConnector(str(tmp_path / "other"))
    async with serving(other):
        assert entries_of(state) == [f"fifo {other.path}"]


async def test_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = FifoConnector("/x")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(FeatureNotAvailable, match="Windows"):
        await connector.connect(Recorder())
    with pytest.raises(FeatureNotAvailable, match="Windows"):
        await connector.listen(lambda link: Recorder())
