from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path

import pytest

from communica_like import LocalConnector
from communica_like.exceptions import AddressInUse, LinkError, LinkRefused, PeerNotTrusted

if sys.platform == "win32":
    pytest.skip("Unix only", allow_module_level=True)

from communica_like.connectors.local import unix
from communica_like.connectors.local.unix import socket_path
from tests.connectors.recorder import PATIENCE, Recorder, eventually, serving
from tests.private_state import use_private

NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@pytest.fixture
def connector(tmp_path: Path) -> LocalConnector:
    return LocalConnector(str(tmp_path / "s"))


async def test_bytes_both_ways_and_who_is_there(connector: LocalConnector) -> None:
    async with serving(connector) as served:
        assert served.listener.address == connector.dump_state()
        near = Recorder()
        link = await connector.connect(near)
        there, far = await served.link()
        link.send(b"ping")
        await far.until(4)
        there.send(b"pong")
        await near.until(4)
        for peer in (link.peer, there.peer):
            assert peer.transport == "local"
            assert peer.address == connector.name
            if sys.platform == "linux":
                assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.getuid(), os.getgid())
        link.close()
        await near.until_broken()
        await far.until_broken()


async def test_links_outlive_the_listener(connector: LocalConnector) -> None:
    async with serving(connector) as served:
        near = Recorder()
        link = await connector.connect(near)
        _, far = await served.link()
        await served.listener.close()
        assert not os.path.exists(connector.name)
        link.send(b"still here")
        await far.until(10)
        link.abort()
        await near.until_broken()
        with pytest.raises(LinkRefused):
            await connector.connect(Recorder())


async def test_in_use_and_refused(connector: LocalConnector) -> None:
    with pytest.raises(LinkRefused, match="no server listens"):
        await connector.connect(Recorder())
    async with serving(connector):
        with pytest.raises(AddressInUse):
            await connector.listen(lambda link: Recorder())
    Path(connector.name).touch()
    with pytest.raises(LinkError, match="not a socket"):
        await connector.listen(lambda link: Recorder())
    with pytest.raises(LinkError, match="cannot connect"):
        await LocalConnector(f"{connector.name}/below").connect(Recorder())


async def test_listening_cancelled_leaves_nothing(connector: LocalConnector) -> None:
    for turns in range(4):
        listening = asyncio.create_task(connector.listen(lambda link: Recorder()))
        for _ in range(turns):
            await asyncio.sleep(0)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await listening).close()
        assert os.listdir(os.path.dirname(connector.name)) == []
        # The loop does not remember the descriptor either.
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            right.send(b"x")
            async with asyncio.timeout(PATIENCE):
                assert await asyncio.get_running_loop().sock_recv(left, 1) == b"x"


async def test_connecting_cancelled_leaves_nothing(connector: LocalConnector) -> None:
    async with serving(connector) as served:
        for turns in range(4):
            near = Recorder()
            connecting = asyncio.create_task(connector.connect(near))
            for _ in range(turns):
                await asyncio.sleep(0)
            connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await connecting).abort()
                await near.until_broken()
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as last:
            last.connect(connector.name)  # those before it are accepted before it
            came = len(served.links)
            await eventually(lambda: len(served.links) > came)
        await eventually(lambda: all(each.broken.is_set() for each in served.recorders))


def _as_nobody(path: str) -> tuple[int, bytes]:
    """Connect as another user from a child; return what it read."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(PATIENCE)
                sock.connect(path)
                try:
                    data = sock.recv(10)
                except ConnectionError:
                    data = b""
            os.write(writing, data or b"end")
        finally:
            os._exit(0)
    os.close(writing)
    return reading, child.to_bytes(8)


@as_root
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_process_of_another_user_is_refused(connector: LocalConnector) -> None:
    async with serving(connector) as served:
        os.chmod(connector.name, 0o666)
        folder = Path(connector.name).parent
        for each in (folder, *folder.parents):
            if each.stat().st_uid == 0 and each != Path("/"):
                each.chmod(each.stat().st_mode | 0o711)
        reading, child = _as_nobody(connector.name)
        assert await asyncio.to_thread(os.read, reading, 10) == b"end"
        os.close(reading)
        os.waitpid(int.from_bytes(child), 0)
        assert served.links == []


async def test_a_server_of_another_user_is_refused(
    connector: LocalConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(connector) as served:
        me = os.getuid()
        monkeypatch.setattr("os.getuid", lambda: me + 1)
        near = Recorder()
        if me == 0:  # root is trusted by everybody
            link = await connector.connect(near)
            monkeypatch.undo()
            await eventually(lambda: served.came.is_set() or near.broken.is_set())
            link.abort()
            await near.until_broken()
            return
        with pytest.raises(PeerNotTrusted, match=f"belongs to user {me}"):
            await connector.connect(near)


@as_root
@pytest.mark.parametrize("me, uid, serving, trusted", [
    (1000, 1000, True, True),
    (1000, 0, True, True),
    (1000, 0, False, True),
    (1000, 1001, True, False),
    (1000, 1001, False, False),
    (0, 1000, True, False),
    (0, 1000, False, True),
    (1000, None, True, True),
])  # fmt: skip
def test_who_is_trusted(
    monkeypatch: pytest.MonkeyPatch, me: int, uid: int | None, serving: bool, trusted: bool
) -> None:
    monkeypatch.setattr(unix, "peer_credentials", lambda sock: (7, uid, 0))
    monkeypatch.setattr("os.getuid", lambda: me)

    with contextlib.nullcontext() if trusted else pytest.raises(PeerNotTrusted, match="process 7"):
        unix._identify(asyncio.Transport(), "path", serving=serving)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = use_private(tmp_path, monkeypatch)
    assert socket_path("/x/y") == "/x/y"
    assert socket_path("name") == f"{state}/name"
    room = 107 if sys.platform == "linux" else 103
    assert socket_path("/" + "é" * (room // 2)) == "/" + "é" * (room // 2)
    with pytest.raises(ValueError, match=f"has {room + 1}"):
        socket_path("/x" + "é" * (room // 2))
