"""Programs that use ipcq share queues with QueueManagerServer and QueueManagerClient, both ways."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from communica_like.blocking.manager import QueueManagerClient, QueueManagerServer
from communica_like.exceptions import AuthenticationError, ConnectionLost, FeatureNotAvailable
from tests.blocking.media import PATIENCE
from tests.interop.original import needs
from tests.process import Program

needs("ipcq")

CALLER = ("-m", "tests.interop.programs.ipcq_caller")
ITEMS: list[Any] = [True, 5, "text", b"", (1, 2), {"a": {1, 2}}, b"x" * 200_000, "y" * 200_000]


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        yield folder


@pytest.fixture(params=["our server", "their server"])
def client(request: pytest.FixtureRequest, folder: str) -> Iterator[QueueManagerClient]:
    """Our client, of either server."""
    path = f"{folder}/s"
    if request.param == "our server":
        with QueueManagerServer(path, b"key"), QueueManagerClient(path, b"key") as client:
            yield client
    else:
        with Program(*CALLER, "serve", path) as program:
            assert program.line() == "serving"
            with QueueManagerClient(path, b"key") as client:
                yield client
            assert program.end() == 0


def test_the_same_objects_both_ways(client: QueueManagerClient) -> None:
    with Program(*CALLER, "echo", client.address) as program:
        items, answers = client.get_queue("items"), client.get_queue("answers")
        for item in ITEMS:
            items.put(item)
            assert answers.get(timeout=PATIENCE) == (item, type(item).__name__)
        for item in ITEMS:
            items.put(item)
        items.put(None)
        assert [answers.get()[0] for _ in ITEMS] == ITEMS
        assert program.end() == 0


def test_idents_and_keys(client: QueueManagerClient) -> None:
    idents: list[Any] = [None, 0, 5, "0", b"0", ""]
    for ident in idents:
        client.get_queue(ident).put(ident)
    for ident in idents:
        assert client.get_queue(ident).get(timeout=PATIENCE) == ident
    with pytest.raises(AuthenticationError):
        QueueManagerClient(client.address, b"wrong")


def test_as_a_queue(client: QueueManagerClient) -> None:
    items = client.get_queue("mine")
    for attempt in (items.get_nowait, lambda: items.get(timeout=0.05)):
        with pytest.raises(queue.Empty):
            attempt()
    assert items.empty()
    items.put("item", timeout=PATIENCE)
    assert not items.full()
    assert items.get(timeout=PATIENCE) == "item"
    timer = threading.Timer(0.05, items.put, ["late"])
    timer.start()
    assert items.get() == "late"
    timer.join()


# -- our server, their client


def test_all_that_their_proxy_does(folder: str) -> None:
    with QueueManagerServer(f"{folder}/s", b"key", max_items=2) as server:
        with Program(*CALLER, "use", server.address) as program:
            expected = [True, False, 0, True, 2, *["full"] * 2, b"raw", {"a": [1]}, *["empty"] * 3]
            assert program.rest() == [str(expected)]
            assert program.end() == 0


def test_their_client_is_killed_while_it_waits(folder: str) -> None:
    with QueueManagerServer(f"{folder}/s", b"key") as server:
        items = server.get_queue("items")
        with Program(*CALLER, "wait", server.address) as program:
            assert program.line() == "waiting"
            program.until_asleep()  # it says so before it waits
            program.kill()
        items.put("item")
        assert items.get(timeout=PATIENCE) == "item"


def test_their_proxies_have_task_done_and_join_here(folder: str) -> None:
    with QueueManagerServer(f"{folder}/s", b"key") as server:
        items = server.get_queue("items")
        with Program(*CALLER, "work", server.address) as program:
            items.put("job")
            assert program.line() == "job"
            items.join()
            items.put("for nobody")
            assert program.line() == "joining"
            items.task_done()
            assert program.line() == "joined"
            assert program.rest() == ["called too often"]
            assert program.end() == 0


# -- their server, our client


def test_what_their_server_has_not(folder: str) -> None:
    with Program(*CALLER, "serve", f"{folder}/s") as program:
        assert program.line() == "serving"
        with QueueManagerClient(f"{folder}/s", b"key") as client:
            items = client.get_queue()
            for call in (items.task_done, items.join):
                with pytest.raises(FeatureNotAvailable, match="task_done"):
                    call()
            assert program.end() == 0
            with pytest.raises(ConnectionLost):
                items.get()
