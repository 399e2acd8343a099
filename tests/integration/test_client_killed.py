"""A client that dies: where the kernel can tell, the server knows at once."""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Iterator

import pytest

from communica_like import ConnectionLost, SimpleServer, connector_from

from .program import program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pidfd_open(2) is Linux's")

AT_ONCE = 8.0  # seconds; by default a session waits 10 for a client whose link merely broke


@pytest.fixture(params=["local", "manager", "posixmq", "sysv", "fifo"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        if request.param == "posixmq":
            yield f"posixmq:///cl-test-{secrets.token_hex(6)}"
        elif request.param == "sysv":
            yield f"sysv://{secrets.randbelow(2**31 - 1) + 1}"
        else:
            yield f"{request.param}://{folder}/s"


async def test_its_requests_end_at_once(url: str) -> None:
    async with SimpleServer(connector_from(url)) as server, program("asked_client", url) as client:
        asking = asyncio.ensure_future(server.request(None, timeout=30))  # of whoever comes
        assert await client.line() == "asked"
        await client.kill()
        async with asyncio.timeout(AT_ONCE):
            with pytest.raises(ConnectionLost, match=f"the process {client.pid} at the other end has ended"):
                await asking
        assert server.clients == []
