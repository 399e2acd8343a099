"""A server that stops: what it says last is no answer to what is asked after that.

multiprocessing's server ends a proxy's connection with a second answer to its first request, which was None.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import tempfile
import threading
from collections.abc import Iterator
from multiprocessing.managers import BaseManager
from typing import Any

import pytest

from communica_like.exceptions import ConnectionLost
from communica_like.managers.client import dial, request
from communica_like.queues import QueueHost
from communica_like.queues.manager.ipcq_client import IpcqClient
from communica_like.queues.manager.protocol import Item
from communica_like.queues.manager.remote import Lease

PATIENCE = 20.0


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        yield folder


@pytest.mark.parametrize("method", ["get_nowait", "qsize", "put_nowait"])
async def test_our_server_ends_a_proxys_connection_without_a_word(folder: str, method: str) -> None:
    async with QueueHost(f"{folder}/s", b"key") as host:
        assert host._server is not None

        def use(stop_event: threading.Event) -> None:
            (ident, _), connection = call(None, "create", "get_queue"), dial(f"{folder}/s", b"key")
            with connection:
                request(connection, None, "accept_connection", "a thread")
                request(connection, ident, "put_nowait", "item")
                stop_event.set()
                connection.send((ident, "qsize", (), {}))
                connection.send((ident, method, ("item",) if method == "put_nowait" else (), {}))
                answers = []
                with pytest.raises((EOFError, ConnectionError)):
                    while True:
                        answers.append(connection.recv())
                assert answers in ([], [("#RETURN", 1)])  # it may have waited for a request

        def call(*arguments: Any) -> Any:
            with dial(f"{folder}/s", b"key") as connection:
                return request(connection, *arguments)

        await asyncio.to_thread(use, host._server.stop_event)


class Manager(BaseManager):
    """Another program's."""


Manager.register("get_queue", lambda ident: queue.Queue(), exposed=("get", "put", "qsize"))


@pytest.mark.parametrize("method", ["get_nowait", "size"])
def test_another_programs_last_word_is_no_item(folder: str, method: str) -> None:
    server: Any = Manager(f"{folder}/s", b"key").get_server()
    server.stop_event = threading.Event()

    def serve() -> None:
        for _ in range(2):
            with server.listener.accept() as connection, contextlib.suppress(EOFError, ConnectionError):
                server._handle_request(connection)
                connection.recv()  # what the client takes that for an answer to
                connection.recv()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    with contextlib.closing(server.listener):
        client = IpcqClient(f"{folder}/s", b"key", None)
        client.put_nowait(Item.of(None))
        client.get_nowait(lease := Lease(client))
        assert lease.item == Item.of(None)
        server.stop_event.set()
        client.put_nowait(Item.of(1))
        with pytest.raises(ConnectionLost):
            client.size() if method == "size" else client.get_nowait(Lease(client))
        client.close()
        serving.join(PATIENCE)
