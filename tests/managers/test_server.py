"""A manager's server keeps nothing of connections that have ended."""

from __future__ import annotations

import asyncio
import tempfile

from communica_like.managers.client import dial, request
from communica_like.queues import ManagerQueue, QueueHost
from communica_like.system import fork

PATIENCE = 20.0


async def test_a_client_that_ends_in_the_middle_of_an_answer_is_forgotten() -> None:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        async with QueueHost(f"{folder}/s", b"key") as host, ManagerQueue(f"{folder}/s", b"key") as items:
            await items.put(bytes(20_000_000))
            before = set(fork._descriptors)

            def die() -> None:
                with dial(f"{folder}/s", b"key") as connection:
                    ident = request(connection, None, "create", "get_queue")[0]
                with dial(f"{folder}/s", b"key") as connection:
                    request(connection, None, "accept_connection", "a thread")
                    connection.send((ident, "get", (), {}))
                    assert connection.socket.recv(4)  # the rest is not taken

            await asyncio.to_thread(die)
            assert host._server is not None
            async with asyncio.timeout(PATIENCE):
                while host._server._threads:
                    await asyncio.sleep(0.001)
            assert not host._server._sockets
            assert fork._descriptors == before
            assert await items.get(timeout=PATIENCE) == bytes(20_000_000)
