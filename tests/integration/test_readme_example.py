"""The smallest example, as two processes."""

from __future__ import annotations

import signal

from tests.ports import free_port

from .program import program


async def test_two_processes() -> None:
    # The client may be there first; it waits.
    port = free_port()
    async with program("readme_client", port) as client, program("readme_server", port) as server:
        assert await server.line() == "hello"
        assert await client.line() == "Server received: hello"
        assert await client.end() == 0
        server.send(signal.SIGINT)
        assert await server.end() == 0
        assert server.stderr == ""
        assert "Traceback" not in client.stderr
