from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from communica_like.exceptions import AddressInUse, LinkError

if sys.platform == "win32":
    pytest.skip("Unix only", allow_module_level=True)

from communica_like.system.socket_file import SocketFile, check_path_length, try_connect
from tests.connectors.recorder import PATIENCE


def close(file: SocketFile) -> None:
    file.release()
    file.socket.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "s")


def names(path: str) -> list[str]:
    return sorted(os.listdir(os.path.dirname(path)))


def test_it_is_open_to_its_owner_alone(path: str) -> None:
    former = os.umask(0)
    try:
        file = SocketFile(path)
    finally:
        os.umask(former)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(f"{path}.lock").st_mode) == 0o600
    close(file)
    assert names(path) == []


def test_the_second_is_refused_and_does_no_harm(path: str) -> None:
    file = SocketFile(path)
    with pytest.raises(AddressInUse, match="live server"):
        SocketFile(path)
    assert names(path) == ["s", "s.lock"]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    close(file)
    close(SocketFile(path))


def test_what_a_dead_server_left_is_replaced(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    Path(f"{path}.lock").touch()
    file = SocketFile(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    close(file)


@pytest.mark.parametrize("full", [False, True])
def test_a_live_listener_without_a_lock_is_unharmed(path: str, full: bool) -> None:
    with socket.socket(socket.AF_UNIX) as foreign, socket.socket(socket.AF_UNIX) as client:
        foreign.bind(path)
        foreign.listen(0)
        if full:
            client.connect(path)
        with pytest.raises(AddressInUse):
            SocketFile(path)
        assert names(path) == ["s"]
        assert stat.S_ISSOCK(os.stat(path).st_mode)


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling"])
def test_what_is_no_socket_stays(path: str, kind: str) -> None:
    target = Path(path)
    if kind == "file":
        target.write_text("precious")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to("/" if kind == "link" else "/nowhere")
    with pytest.raises(LinkError, match="not a socket"):
        SocketFile(path)
    assert names(path) == ["s"]
    if kind == "file":
        assert target.read_text() == "precious"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a socket's mode is set by its path")
def test_what_others_put_in_its_place_is_not_touched(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.touch(0o644)
    victim.chmod(0o644)
    bind = socket.socket.bind

    def robbed(self: socket.socket, address: str) -> None:
        bind(self, address)
        os.unlink(address)
        os.symlink(victim, address)

    monkeypatch.setattr(socket.socket, "bind", robbed)
    file = SocketFile(path)
    file.release()
    file.socket.close()
    assert stat.S_IMODE(victim.stat().st_mode) == 0o644


def test_the_lock_is_not_followed(path: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    Path(f"{path}.lock").symlink_to(victim)
    with pytest.raises(LinkError, match="cannot serve"):
        SocketFile(path)
    assert not victim.exists()


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="cannot serve"):
        SocketFile(str(tmp_path / "missing" / "s"))


def test_only_its_own_files_are_removed(path: str) -> None:
    file = SocketFile(path)
    os.unlink(path)
    os.unlink(f"{path}.lock")
    second = SocketFile(path)
    close(file)
    assert names(path) == ["s", "s.lock"]
    close(second)
    assert names(path) == []


def test_release_after_all_was_removed(path: str) -> None:
    file = SocketFile(path)
    os.unlink(path)
    os.unlink(f"{path}.lock")
    close(file)


async def test_a_full_backlog_makes_it_wait(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)
        first = await try_connect(path)
        second = asyncio.create_task(try_connect(path))
        done, _ = await asyncio.wait([second], timeout=0.05)
        assert not done
        server.accept()[0].close()
        (await asyncio.wait_for(second, PATIENCE)).close()
        first.close()


async def test_cancelled_while_it_waits(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)
        first = await try_connect(path)
        second = asyncio.create_task(try_connect(path))
        await asyncio.wait([second], timeout=0.01)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        first.close()


async def test_nobody_there(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        await try_connect(path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with pytest.raises(ConnectionRefusedError):
        await try_connect(path)


@pytest.mark.parametrize("size", [0, 1])
def test_the_longest_path(size: int) -> None:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        room = 107 if sys.platform == "linux" else 103
        path = f"{folder}/".ljust(room + size, "x")
        if size == 0:
            close(SocketFile(check_path_length(path)))
        else:
            text = rf"at most {room} bytes \({room + 1} with .* has {room + 1}$"
            with pytest.raises(ValueError, match=text):
                SocketFile(path)
        assert os.listdir(folder) == []
