"""How processes end: by a signal, by two, in the middle of something."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest

from communica_like import Closed, ConnectionLost, RouteClient, connector_from
from tests.process import AsyncProgram

from .program import program

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])


def pending_signals(pid: int) -> bool:
    """Return whether a process, if it is there, has not taken a signal yet; see proc(5)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return re.search(r"^(Sig|Shd)Pnd:.*[1-9a-f]", status, re.MULTILINE) is not None


async def start(server: AsyncProgram) -> None:
    assert (await server.line()).startswith("serving ")


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@SIGNALS
async def test_a_server_ends_by_a_signal(url: str, folder: Path, number: signal.Signals) -> None:
    async with program("any_server", url) as server:
        await start(server)
        async with RouteClient(connector_from(url)) as client:
            assert await client.request("echo", 1) == 1
            server.send(number)
            assert await server.end() == 0
            assert server.stderr == ""
            assert left_behind(folder) == []


@SIGNALS
async def test_a_client_ends_by_a_signal(url: str, number: signal.Signals) -> None:
    async with program("any_server", url) as server:
        await start(server)
        async with program("any_client", url) as client:
            assert await client.line() == f"connected {server.pid}"
            client.send(number)
            assert await client.end() == 0
            assert client.stderr == ""
        assert server.stderr == ""


async def test_a_client_without_a_server_ends_by_a_signal(url: str, folder: Path) -> None:
    async with program("any_client", url) as client:
        async with asyncio.timeout(20):
            while "cannot connect" not in client.stderr:
                await asyncio.sleep(0.01)
        client.send(signal.SIGINT)
        assert await client.end() == 0
        assert "Traceback" not in client.stderr


async def test_handlers_end_before_the_server_does(url: str) -> None:
    """A request that is being handled gets its answer; a new one is turned away, as not sent."""
    async with program("any_server", url) as server:
        await start(server)
        async with RouteClient(connector_from(url)) as client:
            request = asyncio.ensure_future(client.request("hold", None))
            assert await server.line() == "holding"
            server.send(signal.SIGINT)
            async with asyncio.timeout(20):
                with pytest.raises(ConnectionLost) as caught:
                    while True:
                        await client.request("echo", 1)
            assert not caught.value.sent
            server.send(signal.SIGUSR1)
            assert await asyncio.wait_for(request, 20) == "held"
            assert await server.end() == 0
            assert server.stderr == ""


@SIGNALS
@pytest.mark.parametrize("drain_timeout", [30.0, 0.2])
async def test_a_second_signal_hastens(
    url: str, folder: Path, number: signal.Signals, drain_timeout: float
) -> None:
    # Both times are so long that it would not end in time without the second signal.
    options = {"drain_timeout": drain_timeout, "last_words": 30.0}
    async with program("any_server", url, json.dumps(options)) as server:
        await start(server)
        async with RouteClient(connector_from(url)) as client:
            request = asyncio.ensure_future(client.request("stubborn", None))
            assert await server.line() == "stubborn"
            server.send(number)
            if drain_timeout > 1:
                async with asyncio.timeout(40):
                    with pytest.raises(ConnectionLost, match="closing"):
                        while True:
                            await client.request("echo", 1)
            else:
                # The handler has been cancelled, and does not care: the server waits for its last words.
                assert await server.line() == "not impressed"
            server.send(number)
            assert await server.end() == 0
            assert "Traceback" not in server.stderr
            assert "second signal" in server.stderr
            assert left_behind(folder) == []
            with pytest.raises(ConnectionLost):
                await request


async def test_many_signals(url: str, folder: Path) -> None:
    async with program("any_server", url) as server:
        await start(server)
        async with RouteClient(connector_from(url)) as client:
            request = asyncio.ensure_future(client.request("stubborn", None))
            assert await server.line() == "stubborn"
            for _ in range(3):
                server.send(signal.SIGTERM)
                while pending_signals(server.pid):  # two at once would be one
                    await asyncio.sleep(0.001)
            # The third may come when run() has returned, and is then not this library's to handle.
            assert await server.end() in (0, -signal.SIGTERM)
            assert "Traceback" not in server.stderr
            assert left_behind(folder) == []
            with pytest.raises(ConnectionLost):
                await request


async def test_a_signal_while_a_handler_blocks(url: str) -> None:
    """The handler ends, its requester gets the answer, then the server ends."""
    async with program("any_server", url) as server:
        await start(server)
        async with RouteClient(connector_from(url)) as client:
            request = asyncio.ensure_future(client.request("block", 0.5))
            assert await server.line() == "blocking"
            server.send(signal.SIGINT)
            assert await asyncio.wait_for(request, 20) == 0.5
            assert await server.end() == 0
            assert "Traceback" not in server.stderr


async def test_calls_after_the_end(url: str) -> None:
    async with program("any_server", url) as server:
        await start(server)
        async with RouteClient(connector_from(url)) as client:
            waiting = asyncio.ensure_future(client.request("wait", "for ever"))
            assert await server.line() == "waiting for ever"
        with pytest.raises(Closed):
            await waiting
        assert await server.line() == "ended for ever", "its handler was told to stop"
        for call in (client.request, client.throw):
            with pytest.raises(Closed):
                await call("echo", 1)


async def test_killed_leaves_nothing_in_the_way(url: str) -> None:
    for _ in range(3):
        async with program("any_server", url) as server:
            assert await server.line() == f"serving {url}"
            async with RouteClient(connector_from(url)) as client:
                assert await client.request("pid", None) == server.pid
                await server.kill()
                await client.close(0)
