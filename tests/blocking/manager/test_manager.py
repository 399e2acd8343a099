"""QueueManagerServer and QueueManagerClient: what their document says, and what BaseManager offers."""

from __future__ import annotations

import multiprocessing
import os
import queue
import socket
import stat
import threading
import time
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

import pytest

from communica_like import exceptions
from communica_like.blocking.manager import Address, AuthKey, QueueManagerClient, QueueManagerServer
from communica_like.exceptions import AddressInUse, Closed, ConnectionLost, InsecureAddress, LinkRefused

from .stage import PATIENCE, Child

CHILD = "tests.blocking.manager.child"
IDENTS: list[Any] = [None, 0, 5, "0", b"0", "", b"", "\N{SNOWMAN}"]


def test_quick_start(folder: str) -> None:
    with QueueManagerServer(address=Address.DEFAULT, authkey=AuthKey.DEFAULT) as server:
        assert server.address == Address.DEFAULT
        assert stat.S_IMODE(os.stat(Address.DEFAULT).st_mode) == 0o600
        client = QueueManagerClient(address=Address.DEFAULT, authkey=AuthKey.DEFAULT)
        client.get_queue().put("a message")
        assert server.get_queue().get() == "a message"
        server.get_queue().put("an answer")
        assert client.get_queue().get() == "an answer"
    assert not os.path.exists(Address.DEFAULT)


def test_auto_is_a_random_address(folder: str) -> None:
    # Also: what is not said is AUTO.
    with QueueManagerServer(Address.AUTO, AuthKey.AUTO) as first, QueueManagerServer() as second:
        assert first.address != second.address
        for server in (first, second):
            with QueueManagerClient(server.address, AuthKey.AUTO) as client:
                client.get_queue().put(server.address)
                assert server.get_queue().get() == server.address
    with pytest.raises(ValueError, match="AUTO is for servers"):
        QueueManagerClient(Address.AUTO, AuthKey.AUTO)


def test_cwd_is_a_file_in_the_current_directory(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with QueueManagerServer(Address.CWD, AuthKey.EMPTY) as server:
        assert Path(str(server.address)).parent == Path(os.getcwd())
        with Child(CHILD, "cwd", cwd=folder) as child:
            assert server.get_queue().get(timeout=PATIENCE) == "from the same directory"
            child.end()
    assert os.listdir(folder) == []


@pytest.mark.parametrize("key", [AuthKey.AUTO, AuthKey.DEFAULT, AuthKey.EMPTY, b"any other", b"x" * 500])
def test_the_key_has_to_be_the_same(folder: str, key: bytes | None) -> None:
    with QueueManagerServer(f"{folder}/s", key):
        with QueueManagerClient(f"{folder}/s", key) as client:
            assert client.get_queue().empty()
        with pytest.raises(exceptions.AuthenticationError) as caught:
            QueueManagerClient(f"{folder}/s", b"wrong")
        assert isinstance(caught.value, multiprocessing.AuthenticationError)


def test_idents(folder: str) -> None:
    path = f"{folder}/s"
    with QueueManagerServer(path, b"key") as server, QueueManagerClient(path, b"key") as client:
        assert server.get_queue() is server.get_queue(None)
        for ident in IDENTS:
            client.get_queue(ident).put((ident, type(ident)))
        for ident in IDENTS:
            assert server.get_queue(ident).get_nowait() == (ident, type(ident))
            assert client.get_queue(ident).empty()
        for wrong in (1.5, (1,)):
            with pytest.raises(TypeError, match="ident"):
                client.get_queue(wrong)  # type: ignore[arg-type]


def test_a_process_of_its_own(folder: str) -> None:
    with Child(CHILD, "serve", f"{folder}/s") as server:
        assert server.line() == "serving"
        with Child(CHILD, "read", f"{folder}/s", 3) as reader:
            with QueueManagerClient(f"{folder}/s", b"key") as client:
                for item in range(3):
                    client.get_queue().put(item)
                assert reader.end() == "0\n1\n2\n"
                client.get_queue().join()
        server.end()
    assert os.listdir(folder) == []


# -- as a BaseManager


def test_both_are_base_managers(folder: str) -> None:
    with QueueManagerServer(f"{folder}/s", b"key") as server:
        with QueueManagerClient(f"{folder}/s", b"key") as client:
            assert isinstance(server, BaseManager)
            assert isinstance(client, BaseManager)
            for manager in (server, client):
                with pytest.raises(multiprocessing.ProcessError, match="started"):
                    manager.start()
                with pytest.raises(multiprocessing.ProcessError, match="started"):
                    manager.get_server()
        with pytest.raises(multiprocessing.ProcessError, match="shut down"):
            client.get_queue()


def test_start_shutdown_and_join(folder: str) -> None:
    server = QueueManagerServer(f"{folder}/s", b"key")
    with pytest.raises(multiprocessing.ProcessError, match="not been started"):
        server.get_queue()
    with pytest.raises(ValueError, match="initializer"):
        server.start(print)
    server.start()
    server.join(0.01)
    threading.Timer(0.05, server.shutdown).start()
    server.join(PATIENCE)
    server.shutdown()
    with pytest.raises(multiprocessing.ProcessError, match="shut down"):
        server.start()
    while os.listdir(folder):  # the other thread is about to end, too
        time.sleep(0.01)
    QueueManagerServer(f"{folder}/s", b"key").shutdown()  # which was never started


def test_a_server_may_connect_instead(folder: str) -> None:
    with QueueManagerServer(f"{folder}/s", b"key") as server:
        other = QueueManagerServer(f"{folder}/s", b"key")
        other.connect()
        other.get_queue().put(1)
        other.shutdown()
        assert server.get_queue().get() == 1


def test_registered_types(folder: str) -> None:
    class Server(QueueManagerServer):
        pass

    class Client(QueueManagerClient):
        pass

    Server.register("get_dict", dict)
    Client.register("get_dict")
    with Server(f"{folder}/s", b"key") as server, Client(f"{folder}/s", b"key") as client:
        table: Any = client.get_dict()  # type: ignore[attr-defined]
        table.update({"a": 1})
        assert table.get("a") == 1
        client.get_queue().put(table.copy())
        assert server.get_queue().get() == {"a": 1}
        del table
    assert not hasattr(QueueManagerServer, "get_dict")


def test_serve_forever(folder: str) -> None:
    with Child(CHILD, "serve_forever", f"{folder}/s") as child:
        assert child.line() == "serving"
        client = QueueManagerClient(f"{folder}/s", b"key")
        client.get_queue().put(1)
        assert client.get_queue().get() == 1
        child.interrupt()
        assert child.end() == "ended\n"
    client.shutdown()
    server = QueueManagerServer(f"{folder}/s", b"key").get_server()
    assert server.address == f"{folder}/s"
    threading.Timer(0.05, server.stop_event.set).start()
    server.serve_forever()
    assert os.listdir(folder) == []


# -- addresses


def test_a_live_server_is_never_robbed_and_a_dead_one_is_replaced(folder: str) -> None:
    with pytest.raises(LinkRefused):
        QueueManagerClient(f"{folder}/s", b"key")
    with Child(CHILD, "serve", f"{folder}/s") as child:
        assert child.line() == "serving"
        for _ in range(2):
            with pytest.raises(AddressInUse), QueueManagerServer(f"{folder}/s", b"key"):
                pass
        with pytest.raises(AddressInUse):
            QueueManagerServer(f"{folder}/s", b"key").get_server()
        client = QueueManagerClient(f"{folder}/s", b"key")
        client.get_queue().put(1)
        assert client.get_queue().get() == 1
        child.kill()
    assert os.path.exists(f"{folder}/s")
    with pytest.raises(LinkRefused):
        QueueManagerClient(f"{folder}/s", b"key")
    with QueueManagerServer(f"{folder}/s", b"key") as server:
        server.get_queue().put("of the next one")
        assert next_one(client) == "of the next one"
    client.shutdown()
    assert os.listdir(folder) == []


def next_one(client: QueueManagerClient) -> Any:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return client.get_queue().get(timeout=PATIENCE)
        except ConnectionLost:  # the first one to notice that the old server is gone
            assert time.monotonic() < deadline


def test_addresses_on_the_network(folder: str) -> None:
    with QueueManagerServer(("127.0.0.1", 0), b"key") as server:
        assert isinstance(server.address, tuple)
        with QueueManagerClient(server.address, b"key") as client:
            client.get_queue().put(1)
            assert server.get_queue().get() == 1
    for key in (AuthKey.DEFAULT, AuthKey.EMPTY):
        with pytest.raises(InsecureAddress):
            QueueManagerServer(("", 0), key).start()
    for wrong in (5, ("a",), b"path"):
        with pytest.raises(TypeError, match="address"):
            QueueManagerServer(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="authkey"):
        QueueManagerServer(None, "text")  # type: ignore[arg-type]


def test_a_private_directory_that_is_not_private(folder: str) -> None:
    directory = Path(Address.DEFAULT).parent
    directory.mkdir(mode=0o755)
    with pytest.raises(exceptions.LinkError, match="not a private directory"):
        QueueManagerServer(Address.DEFAULT).start()
    with pytest.raises(exceptions.LinkError, match="not a private directory"):
        QueueManagerClient(Address.DEFAULT)


# -- ends


def test_a_server_that_is_killed_or_shut_down_ends_all_that_wait(folder: str) -> None:
    def wait(call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except BaseException as exc:
            errors.put(exc)

    errors: queue.Queue[BaseException] = queue.Queue()
    for kill in (True, False):
        with Child(CHILD, "serve", f"{folder}/s") as child:
            assert child.line() == "serving"
            client = QueueManagerClient(f"{folder}/s", b"key")
            full = client.get_queue("full", max_items=1)
            full.put(1)
            empty = client.get_queue()
            get = empty.get
            calls: list[Any] = [(get,), (get, True, 60), (full.join,), (full.put, 2)]
            threads = [threading.Thread(target=wait, args=call) for call in calls]
            for thread in threads:
                thread.start()
            until_they_wait(empty, 2)
            until_they_wait(full, 2)
            assert errors.empty()
            child.kill() if kill else child.end()
            for thread in threads:
                assert isinstance(errors.get(timeout=PATIENCE), ConnectionLost)
                thread.join()
            client.shutdown()
            with pytest.raises(Closed):
                full.get()


def until_they_wait(items: Any, tasks: int) -> None:
    """Wait until so many threads wait in a queue, and the host knows."""
    deadline = time.monotonic() + PATIENCE
    while (remote := items._core._remote) is None or remote._channel._tasks != tasks:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    items.qsize()


def test_a_server_at_the_end_of_the_interpreter(folder: str) -> None:
    with Child(CHILD, "forget", f"{folder}/s") as child:
        assert child.end() == "ends\n"
    assert os.listdir(folder) == []


def test_strangers_do_no_harm(folder: str) -> None:
    with QueueManagerServer(f"{folder}/s", b"key") as server:
        for garbage in (b"", b"\0\0\0\4abcd", os.urandom(1000)):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(f"{folder}/s")
                sock.send(garbage)
        server.get_queue().put(1)
        assert server.get_queue().get() == 1
