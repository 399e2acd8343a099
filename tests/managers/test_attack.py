"""A rogue at a manager's address, in another process, gets no code run in those who dial."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import pickle
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing.connection import Client
from typing import Any

import pytest

from communica_like import ManagerConnector
from communica_like.blocking.manager import AuthKey, QueueManagerClient, QueueManagerServer
from communica_like.exceptions import CommunicaError, InsecureAddress, PeerNotTrusted
from communica_like.managers import peer
from communica_like.managers.client import Attempt, dial
from communica_like.queues import ManagerQueue, QueueHost
from tests.connectors.recorder import Recorder

if sys.platform == "win32":
    pytest.skip("Unix only", allow_module_level=True)

Address = str | tuple[str, int]

ATTEMPTS = 4


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("communica_like.managers.client._TIMEOUT", 2.0)
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        yield folder


@contextlib.contextmanager
def rogue(way: str, folder: str, *options: str) -> Iterator[int]:
    """The program; its port, if it has one."""
    command = [sys.executable, "-m", "tests.managers.rogue", way, folder, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            yield int(line) if line.isdecimal() else 0
        finally:
            process.kill()


async def connect(address: Address, key: bytes) -> None:
    (await ManagerConnector(address, key).connect(Recorder())).abort()


async def use_queue(address: Address, key: bytes) -> None:
    async with ManagerQueue(address, key) as mq:
        mq.qsize()


async def use_client(address: Address, key: bytes) -> None:
    def use() -> None:
        with QueueManagerClient(address, key) as client:
            client.get_queue().empty()

    await asyncio.to_thread(use)


Dialer = Callable[[Address, bytes], Awaitable[None]]
DIALERS: list[Dialer] = [connect, use_queue, use_client]


@pytest.mark.parametrize("way", ["reflect", "mirror", "let in"])
@pytest.mark.parametrize("dialer", DIALERS)
@pytest.mark.parametrize("medium", ["tcp", "unix"])
async def test_a_rogue_without_the_key_is_not_believed(
    folder: str, dialer: Dialer, way: str, medium: str
) -> None:
    options = ["--path", f"{folder}/s"] if medium == "unix" else []
    with rogue(way, folder, *options) as port:
        address: Address = ("127.0.0.1", port) if port else f"{folder}/s"
        key = secrets.token_bytes(32)
        attempts = [dialer(address, key) for _ in range(ATTEMPTS)]
        errors = await asyncio.gather(*attempts, return_exceptions=True)
    assert not os.path.exists(f"{folder}/boom")
    assert [isinstance(error, CommunicaError) for error in errors] == [True] * ATTEMPTS, errors


@pytest.mark.skipif(os.getuid() != 0, reason="only root may be another user")
@pytest.mark.parametrize("dialer", DIALERS)
async def test_the_process_of_another_user_is_not_spoken_to(folder: str, dialer: Dialer) -> None:
    os.chmod(folder, 0o777)
    with rogue("let in", folder, "--path", f"{folder}/s", "--uid", "65534"):
        for key in (b"key", AuthKey.DEFAULT):
            with pytest.raises(PeerNotTrusted, match="user 65534"):
                await dialer(f"{folder}/s", key)
    assert not os.path.exists(f"{folder}/boom")


def test_what_the_kernel_says_counts_on_both_sides(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with QueueManagerServer(f"{folder}/s", AuthKey.DEFAULT):
        for uid, refused in ((os.getuid() + 1, True), (None, True), (0, False)):
            monkeypatch.setattr(peer, "peer_credentials", lambda sock, uid=uid: (1, uid, 1))
            if refused:
                with pytest.raises(PeerNotTrusted):
                    QueueManagerClient(f"{folder}/s", AuthKey.DEFAULT)
                with pytest.raises((EOFError, ConnectionError)):
                    Client(f"{folder}/s", authkey=AuthKey.DEFAULT)
            else:
                QueueManagerClient(f"{folder}/s", AuthKey.DEFAULT).shutdown()


def test_proxies_ask_the_kernel_as_well(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Server(QueueManagerServer):
        pass

    class Client(QueueManagerClient):
        pass

    Server.register("get_dict", dict)
    Client.register("get_dict")
    monkeypatch.setattr(multiprocessing.current_process(), "authkey", AuthKey.DEFAULT)
    with Server(f"{folder}/s", AuthKey.DEFAULT), Client(f"{folder}/s", AuthKey.DEFAULT) as client:
        proxy = client.get_dict()  # type: ignore[attr-defined]
        pickled = pickle.dumps(proxy)
        pickle.loads(pickled).update(a=1)
        with monkeypatch.context() as patch:
            patch.setattr(peer, "peer_credentials", lambda sock: (1, os.getuid() + 1, 1))
            with pytest.raises(PeerNotTrusted):
                proxy.copy()
            with pytest.raises(PeerNotTrusted):
                pickle.loads(pickled)
        assert proxy.copy() == {"a": 1}
        del proxy


@pytest.mark.parametrize("key", [AuthKey.DEFAULT, AuthKey.EMPTY, AuthKey.DEFAULT + b"\0", bytes(32)])
async def test_a_well_known_key_is_none_where_users_cannot_be_told_apart(key: bytes) -> None:
    here = "127.0.0.1", 1
    for dialer in DIALERS[not key :]:  # a connector takes no empty key
        with pytest.raises(InsecureAddress, match="everybody knows the key"):
            await dialer(here, key)
    with pytest.raises(InsecureAddress):
        await QueueHost(("127.0.0.1", 0), key).__aenter__()
    for method in ("start", "get_server"):
        with pytest.raises(InsecureAddress):
            getattr(QueueManagerServer(("127.0.0.1", 0), key), method)()
    if key:
        with pytest.raises(InsecureAddress):
            await ManagerConnector(("127.0.0.1", 0), key).listen(lambda link: Recorder())


async def test_an_attempt_that_was_given_up_is_over(folder: str) -> None:
    with rogue("reflect", folder, "--path", f"{folder}/s"):
        attempt = Attempt()
        dialing = asyncio.create_task(asyncio.to_thread(dial, f"{folder}/s", b"key", attempt=attempt))
        while attempt._socket is None:
            await asyncio.sleep(0)
        attempt.end()
        with pytest.raises(CommunicaError):
            await dialing
        with pytest.raises(CommunicaError, match="given up"):
            await asyncio.to_thread(dial, f"{folder}/s", b"key", attempt=attempt)


async def test_cancelling_a_connector_ends_its_attempt(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Any] = []
    monkeypatch.setattr(Attempt, "end", lambda self: ended.append(self))
    with rogue("reflect", folder, "--path", f"{folder}/s"):
        connecting = asyncio.create_task(connect(f"{folder}/s", b"key"))
        await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
    assert len(ended) == 1
