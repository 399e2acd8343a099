from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing import managers
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import pytest

from communica_like import LocalConnector, ManagerConnector, SimpleClient, SimpleServer, connector_from
from communica_like.exceptions import (
    AddressInUse,
    AuthenticationError,
    ConnectionLost,
    InsecureAddress,
    LinkError,
    LinkRefused,
)
from communica_like.queues import QueueHost
from communica_like.testing.conformance import CHECKS, MakeMeeting, Meeting, meeting_of
from tests.connectors.recorder import PATIENCE, Recorder, eventually, serving

if sys.platform == "win32":
    pytest.skip("Unix only", allow_module_level=True)


@pytest.fixture
def folder() -> Iterator[str]:
    # Not tmp_path, which may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        yield folder


@pytest.fixture
def connector(folder: str) -> ManagerConnector:
    return ManagerConnector(f"{folder}/s")


# -- every promise


@pytest.fixture(params=["unix", "tcp"])
def make(request: pytest.FixtureRequest, folder: str, monkeypatch: pytest.MonkeyPatch) -> MakeMeeting:
    monkeypatch.setenv("COMMUNICA_LIKE_DIR", f"{folder}/state")  # for the keys of ports
    made = 0

    def unix(authkey: bytes | None) -> Meeting:
        nonlocal made
        made += 1
        return meeting_of(ManagerConnector(f"{folder}/{made}", authkey))

    def tcp(authkey: bytes | None) -> Meeting:
        return meeting_of(ManagerConnector(("127.0.0.1", 0), authkey))

    return unix if request.param == "unix" else tcp


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
async def test_promise(check: Callable[[MakeMeeting], Awaitable[Any]], make: MakeMeeting) -> None:
    await check(make)


# -- addresses


@pytest.mark.parametrize("address, url", [
    ("name", "manager://name"),
    ("/path/to.sock", "manager:///path/to.sock"),
    ("/path:with/a colon", "manager:///path%3Awith/a%20colon"),
    (("127.0.0.1", 5000), "manager://127.0.0.1:5000"),
    (("::1", 5000), "manager://[::1]:5000"),
    (("localhost", 0), "manager://localhost:0"),
])  # fmt: skip
def test_urls(address: Any, url: str) -> None:
    connector = ManagerConnector(address, b"secret")
    assert connector.dump_state() == url
    again = connector_from(url, authkey=b"secret")
    assert again == connector
    assert hash(again) == hash(connector)
    assert pickle.loads(pickle.dumps(connector)) == connector
    assert "secret" not in repr(connector)


@pytest.mark.parametrize("address", [
    "", "a/b", "a:b", "..", "a\x00", "/a\x00", 5, "\ud800",
    ("", 1), ("host", -1), ("host", 65536), ("host",), ("a b", 1), ("host", "1"),
])  # fmt: skip
def test_no_addresses(address: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        ManagerConnector(address)


def test_a_host_that_holds_a_port() -> None:
    with pytest.raises(ValueError, match=r"the call is ManagerConnector\(\('127\.0\.0\.1', 5000\)\)"):
        ManagerConnector(("127.0.0.1:5000", 1))


def test_path() -> None:
    assert ManagerConnector("/tmp/x").path == "/tmp/x"
    assert ManagerConnector("x").path == LocalConnector("x").path
    assert ManagerConnector(("localhost", 1)).path is None


@pytest.mark.parametrize("url", ["manager://host:port", "manager://::1:5", "manager://:5", "manager://"])
def test_no_urls(url: str) -> None:
    with pytest.raises(ValueError):
        ManagerConnector.load_state(url)


def test_no_empty_key() -> None:
    with pytest.raises(ValueError):
        ManagerConnector("name", b"")


# -- who may come in


async def test_the_key_lies_beside_the_socket_while_it_is_served(connector: ManagerConnector) -> None:
    path = Path(f"{connector.address}.key")
    former = os.umask(0)
    try:
        async with serving(connector) as served:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert len(path.read_bytes()) == 32
            link = await connector.connect(Recorder())
            there, _ = await served.link()
            assert (link.peer.transport, link.peer.address) == ("manager", connector.address)
            assert (link.peer.pid, there.peer.pid) in {(os.getpid(), os.getpid()), (None, None)}
            link.abort()
    finally:
        os.umask(former)
    assert os.listdir(path.parent) == []


async def test_a_key_that_a_dead_server_left_is_used_again(connector: ManagerConnector) -> None:
    path = Path(f"{connector.address}.key")
    path.touch(mode=0o600)
    path.write_bytes(bytes(range(32)))
    async with serving(connector):
        assert path.read_bytes() == bytes(range(32))
        (await connector.connect(Recorder())).abort()


async def test_a_key_that_a_dead_server_left_misleads_nobody(folder: str) -> None:
    path = Path(f"{folder}/s.key")
    path.write_bytes(bytes(32))
    async with serving(ManagerConnector(f"{folder}/s", b"key")):
        assert not path.exists()


@pytest.mark.parametrize("mode, content", [(0o644, bytes(32)), (0o600, b"short")])
async def test_a_key_that_others_may_know_is_refused(
    connector: ManagerConnector, mode: int, content: bytes
) -> None:
    path = Path(f"{connector.address}.key")
    path.write_bytes(content)
    path.chmod(mode)
    for refused in (connector.listen(lambda link: Recorder()), connector.connect(Recorder())):
        with pytest.raises(LinkError, match="remove it"):
            await refused
    assert sorted(os.listdir(path.parent)) == ["s.key"]


async def test_what_is_no_key_is_in_the_way(folder: str) -> None:
    os.mkdir(f"{folder}/s.key")
    with pytest.raises(LinkError, match=r"cannot remove the key in .*s\.key"):
        await ManagerConnector(f"{folder}/s", b"key").listen(lambda link: Recorder())
    assert os.listdir(folder) == ["s.key"]


async def test_what_others_put_in_the_way_of_the_key_is_left_alone(connector: ManagerConnector) -> None:
    theirs = Path(f"{connector.address}.key.{os.getpid()}")
    theirs.write_bytes(b"theirs")
    async with serving(connector):
        assert theirs.read_bytes() == b"theirs"
        (await connector.connect(Recorder())).abort()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, loopback has one address")
async def test_servers_with_one_port_have_keys_of_their_own(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMUNICA_LIKE_DIR", f"{folder}/state")
    async with serving(ManagerConnector(("localhost", 0))) as first:
        address = connector_from(first.listener.address).address  # type: ignore[attr-defined]
        other = ManagerConnector(("127.0.0.2", address[1]))
        async with serving(other):
            keys = {each.read_bytes() for each in Path(f"{folder}/state").iterdir()}
            assert len(keys) == 2
            (await other.connect(Recorder())).abort()
        (await ManagerConnector(address).connect(Recorder())).abort()
    assert list(Path(f"{folder}/state").iterdir()) == []


async def test_a_client_waits_a_moment_for_the_key(connector: ManagerConnector) -> None:
    path = Path(f"{connector.address}.key")
    async with serving(connector):
        key = path.read_bytes()
        path.unlink()
        connecting = asyncio.create_task(connector.connect(Recorder()))
        done, _ = await asyncio.wait([connecting], timeout=0.05)
        assert not done
        path.touch(mode=0o600)
        path.write_bytes(key)
        (await asyncio.wait_for(connecting, PATIENCE)).abort()


async def test_without_the_key(connector: ManagerConnector) -> None:
    assert isinstance(connector.address, str)
    locked = ManagerConnector(connector.address, b"right")
    async with serving(locked) as served:
        with pytest.raises(AuthenticationError, match=r"s\.key is not there"):
            await connector.connect(Recorder())
        with pytest.raises(AuthenticationError, match="another authkey"):
            await ManagerConnector(connector.address, b"wrong").connect(Recorder())
        assert served.links == []
        (await locked.connect(Recorder())).abort()


async def test_beyond_loopback_it_wants_a_key() -> None:
    with pytest.raises(InsecureAddress, match="give authkey"):
        await ManagerConnector(("0.0.0.0", 0)).listen(lambda link: Recorder())
    listener = await ManagerConnector(("0.0.0.0", 0), b"key").listen(lambda link: Recorder())
    await listener.close()


class Bomb:
    """Whoever unpickles it makes a folder."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._path,)


async def test_nothing_is_unpickled_for_strangers(connector: ManagerConnector, folder: str) -> None:
    bomb = pickle.dumps((None, "dummy", (Bomb(f"{folder}/boom"),), {}))
    async with serving(connector):
        for garbage in (
            len(bomb).to_bytes(4) + bomb,
            b"\xff" * 5000,
            b"\x00\x00\x00\x00" * 10,
            b"\x7f\xff\xff\xff",
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.settimeout(PATIENCE)
                stranger.connect(connector.address)
                stranger.sendall(garbage)
                stranger.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    while await asyncio.to_thread(stranger.recv, 4096):
                        pass
        (await connector.connect(Recorder())).abort()
    assert not os.path.exists(f"{folder}/boom")


async def test_the_silent_stop_nobody_and_are_sent_away(
    connector: ManagerConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("communica_like.managers.server._HANDSHAKE_TIMEOUT", 1.0)
    async with serving(connector), contextlib.AsyncExitStack() as stack:
        silent = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(30)]
        for each in silent:
            each.settimeout(PATIENCE)
            each.connect(connector.address)
        began = time.monotonic()
        (await connector.connect(Recorder())).abort()
        assert time.monotonic() - began < 10, "not one after another"
        for each in silent:
            while await asyncio.to_thread(each.recv, 4096):
                pass


async def test_who_knows_the_key_and_asks_for_nonsense(folder: str) -> None:
    connector = ManagerConnector(f"{folder}/s", b"key")
    async with serving(connector) as served:
        calls: list[Any] = [(None, "shutdown", (), {}), (None, "communica_like_link", (99,), {}), "x", None]
        for call in calls:
            with Client(f"{folder}/s", authkey=b"key") as client:
                client.send(call)
                kind, _ = await asyncio.to_thread(client.recv)
                assert kind in ("#TRACEBACK", "#RETURN")
        assert served.links == []
        (await connector.connect(Recorder())).abort()


async def test_another_manager_gives_no_links(folder: str) -> None:
    async with QueueHost(f"{folder}/s", b"key"):
        with pytest.raises(LinkError, match="gives no links"):
            await ManagerConnector(f"{folder}/s", b"key").connect(Recorder())


async def test_what_is_no_manager(folder: str) -> None:
    connector = ManagerConnector(f"{folder}/s", b"key")

    def say_hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x00\x00\x05hello")
        writer.close()

    async with await asyncio.start_unix_server(say_hello, f"{folder}/s"):
        with pytest.raises(LinkError, match="is no manager"):
            await connector.connect(Recorder())


# -- servers that come and go


async def test_in_use_and_refused(connector: ManagerConnector) -> None:
    with pytest.raises(LinkRefused, match="no manager serves"):
        await connector.connect(Recorder())
    async with serving(connector) as served:
        with pytest.raises(AddressInUse):
            await connector.listen(lambda link: Recorder())
        (await connector.connect(Recorder())).abort()
        await served.link()
    with pytest.raises(LinkRefused):
        await connector.connect(Recorder())


async def test_a_standard_manager_keeps_its_address(folder: str) -> None:
    server = managers.BaseManager(f"{folder}/s", b"key").get_server()
    with contextlib.closing(server.listener):  # type: ignore[attr-defined]
        with pytest.raises(AddressInUse):
            await ManagerConnector(f"{folder}/s", b"key").listen(lambda link: Recorder())
        assert os.path.exists(f"{folder}/s")


async def test_links_outlive_the_listener(connector: ManagerConnector) -> None:
    async with serving(connector) as served:
        link = await connector.connect(Recorder())
        _, far = await served.link()
        await served.listener.close()
        link.send(b"still here")
        assert await far.until(10) == b"still here"
        link.abort()


async def test_connecting_cancelled_leaves_nothing(connector: ManagerConnector) -> None:
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    async with serving(connector) as served:
        for turns in range(60):
            near = Recorder()
            connecting = asyncio.create_task(connector.connect(near))
            for _ in range(turns):
                await asyncio.sleep(0)
            connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await connecting).abort()
                await near.until_broken()
        came = len(served.links)
        link = await connector.connect(Recorder())
        await eventually(lambda: len(served.links) > came)
        link.abort()
        await eventually(lambda: all(each.broken.is_set() for each in served.recorders))
    if before:
        await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


async def test_closing_under_load(connector: ManagerConnector) -> None:
    listener = await connector.listen(lambda link: Recorder())
    connecting = [asyncio.create_task(connector.connect(Recorder())) for _ in range(20)]
    await asyncio.wait(connecting, return_when=asyncio.FIRST_COMPLETED)
    await listener.close()
    done = await asyncio.wait_for(asyncio.gather(*connecting, return_exceptions=True), PATIENCE)
    for each in done:
        if isinstance(each, BaseException):
            assert isinstance(each, LinkError | AuthenticationError), each
        else:
            each.abort()
    assert os.listdir(os.path.dirname(str(connector.address))) == []


async def test_many_clients(connector: ManagerConnector) -> None:
    async with SimpleServer(connector, lambda data: data) as server, contextlib.AsyncExitStack() as stack:
        clients = [SimpleClient(connector) for _ in range(30)]
        await asyncio.gather(*(stack.enter_async_context(client) for client in clients))
        answers = await asyncio.gather(*(client.request(number) for number, client in enumerate(clients)))
        assert answers == list(range(30))
        assert len(server.clients) == 30


# -- processes that are killed

SERVER = """
import asyncio, sys
from communica_like import ManagerConnector, SimpleServer
async def main():
    async with SimpleServer(ManagerConnector(sys.argv[1]), lambda data: data):
        print("serving", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@contextlib.contextmanager
def server_at(connector: ManagerConnector) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SERVER, str(connector.address)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "serving"
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_a_server_that_is_killed_is_noticed_and_replaced(connector: ManagerConnector) -> None:
    with server_at(connector) as process:
        near = Recorder()
        await connector.connect(near)
        client = await SimpleClient(connector).init()
        assert await client.request(1) == 1
        began = time.monotonic()
        process.kill()
        await near.until_broken()
        assert time.monotonic() - began < 5
        process.wait()
    with pytest.raises(LinkRefused):
        await connector.connect(Recorder())
    async with SimpleServer(connector, lambda data: -data):
        for _ in range(1000):
            with contextlib.suppress(ConnectionLost):
                assert await client.request(2, timeout=PATIENCE) == -2
                break
        await client.close()
    assert os.listdir(os.path.dirname(str(connector.address))) == []


LINK = """
import asyncio, sys
from communica_like import ManagerConnector
from tests.connectors.recorder import Recorder
async def main():
    link = await ManagerConnector(sys.argv[1]).connect(Recorder())
    link.send(b"hello")
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_client_that_is_killed_is_noticed(connector: ManagerConnector) -> None:
    async with serving(connector) as served:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", LINK, str(connector.address))
        try:
            _, far = await served.link()
            assert await far.until(5) == b"hello"
            began = time.monotonic()
        finally:
            process.kill()
        await far.until_broken()
        assert time.monotonic() - began < 5
        await process.wait()
