"""The smallest example, as two processes."""

from __future__ import annotations

import signal

from .child import Child


async def test_two_processes(free_port: int) -> None:
    # The client may be there first; it waits.
    async with Child("readme_client", free_port) as client, Child("readme_server", free_port) as server:
        assert await server.line() == "hello"
        assert await client.line() == "Server received: hello"
        assert await client.end() == 0
        server.send(signal.SIGINT)
        assert await server.end() == 0
        assert server.stderr == ""
        assert "Traceback" not in client.stderr
