from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from communica_like import (
    Closed,
    ConnectionLost,
    Connector,
    Limits,
    LocalConnector,
    MemoryConnector,
    SimpleClient,
    SimpleServer,
    TcpConnector,
)
from communica_like.exceptions import (
    AuthenticationError,
    ClientIdInUse,
    ConnectTimeout,
    LinkError,
    LinkRefused,
    RequestTimeout,
)
from tests.connectors.recorder import Recorder, serving
from tests.entities.stage import PATIENCE, QUICK, echo, eventually, in_virtual_time, logged


async def test_init_waits_until_the_server_is_there() -> None:
    connector = MemoryConnector()
    client = SimpleClient(connector, backoff=QUICK)
    starting = asyncio.create_task(client.init())
    await eventually(lambda: client._backend and client._backend.last_error)
    assert not starting.done()
    async with SimpleServer(connector, echo):
        assert await asyncio.wait_for(starting, PATIENCE) is client
        assert client.connected
        assert await client.request(1) == 1
        await client.close()
        assert not client.connected


async def test_init_without_waiting_returns_at_once() -> None:
    connector = MemoryConnector()
    seen: list[int] = []
    client = await SimpleClient(connector, backoff=QUICK).init(wait=False)
    assert not client.connected
    asking = asyncio.create_task(client.request(1))
    await client.throw(2)

    def handler(data: int) -> int:
        seen.append(data)
        return data

    async with SimpleServer(connector, handler):
        assert await asyncio.wait_for(asking, PATIENCE) == 1
        await eventually(lambda: sorted(seen) == [1, 2])
        await client.close()


@pytest.mark.parametrize("timeout", [0.02, 1e-9, 0, -1])
@in_virtual_time
async def test_init_gives_up_in_time_and_says_why(timeout: float) -> None:
    client = SimpleClient(MemoryConnector("nobody here"), backoff=QUICK)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ConnectTimeout, match=r"^no connection to memory://nobody%20here") as caught:
        await client.init(timeout)
    assert asyncio.get_running_loop().time() - began < max(timeout, 0) + 1e-6
    assert isinstance(caught.value, TimeoutError)
    if timeout > 0:
        assert f" within {timeout} s: " in str(caught.value)
    assert isinstance(caught.value.__cause__, LinkRefused)
    assert ": no server listens at memory://nobody%20here" in str(caught.value)
    assert client.state == "closed"
    async with SimpleServer(client.connector, echo), client:
        assert await client.request(1) == 1


async def test_one_attempt_is_enough_if_the_server_is_there() -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, echo):
        client = await SimpleClient(connector).init(0)
        assert await client.request(1) == 1
        await client.close()


@in_virtual_time
async def test_one_attempt_takes_the_handshake_timeout_at_most() -> None:
    connector = MemoryConnector()
    async with serving(connector):
        client = SimpleClient(connector, handshake_timeout=3)
        began = asyncio.get_running_loop().time()
        with pytest.raises(ConnectTimeout, match=r"no answer from memory://.* within 3 s"):
            await client.init(0)
        assert asyncio.get_running_loop().time() - began == pytest.approx(3)
        with pytest.raises(ConnectTimeout, match=r"within 2 s: the first attempt was not over") as caught:
            await client.init(2)
        assert caught.value.__cause__ is None


async def test_not_to_wait_takes_no_timeout() -> None:
    client = SimpleClient(MemoryConnector())
    with pytest.raises(TypeError, match="takes no timeout"):
        await client.init(1, wait=False)
    assert client.state == "new"


async def test_the_path_that_is_tried_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connector = LocalConnector(f"not-served-{os.getpid()}")
    client = SimpleClient(connector, backoff=QUICK)
    with pytest.raises(ConnectTimeout) as caught:
        await client.init(0)
    where = f"{connector.dump_state()} ({connector.path})"
    assert str(caught.value).startswith(f"no connection to {where}: no server listens at ")
    assert f"cannot connect to {where}: no server listens at " in logged(caplog)


async def test_a_timeout_without_a_server_says_why() -> None:
    connector = MemoryConnector("none")
    client = await SimpleClient(connector, backoff=QUICK, limits=Limits(outbox=1)).init(wait=False)
    refused = "no connection to memory://none: no server listens at memory://none"
    with pytest.raises(RequestTimeout, match=rf"^not sent: {refused}"):
        await client.request(1, timeout=0.05)
    await client.throw(1)
    with pytest.raises(RequestTimeout, match=rf"^no room in the outbox in time: {refused}"):
        await client.throw(2, timeout=0.05)
    await client.close(0)


async def test_an_address_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        connector = TcpConnector("127.0.0.1", free.getsockname()[1])
        with pytest.raises(ConnectTimeout, match=r"^no connection to tcp") as caught:
            await SimpleClient(connector).init(0)
    for text in (str(caught.value), logged(caplog)):
        assert text.count(connector.dump_state()) == 1


async def test_init_cancelled_closes() -> None:
    before = asyncio.all_tasks()
    client = SimpleClient(MemoryConnector(), backoff=QUICK)
    starting = asyncio.create_task(client.init())
    await eventually(lambda: client.state == "running")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert client.state == "closed"
    await eventually(lambda: asyncio.all_tasks() == before)


async def test_init_of_a_client_that_is_closed_meanwhile() -> None:
    client = SimpleClient(MemoryConnector(), backoff=QUICK)
    starting = asyncio.create_task(client.init())
    await eventually(lambda: client.state == "running")
    await client.close()
    with pytest.raises(Closed):
        await starting
    assert client.state == "closed"


@in_virtual_time
async def test_a_server_that_says_nothing() -> None:
    connector = MemoryConnector()
    async with serving(connector):
        client = SimpleClient(connector, backoff=QUICK, handshake_timeout=0.01)
        with pytest.raises(ConnectTimeout, match=r"no answer from memory://.* within 0.01 s") as caught:
            await client.init(0.05)
        assert type(caught.value.__cause__) is LinkError


@pytest.mark.parametrize("here, there", [(b"a", b"b"), (b"a", None), (None, b"b")])
async def test_authkeys_that_differ(here: bytes | None, there: bytes | None) -> None:
    async with SimpleServer(MemoryConnector("auth", there), echo):
        client = SimpleClient(MemoryConnector("auth", here))
        with pytest.raises(AuthenticationError):
            await asyncio.wait_for(client.init(), PATIENCE)
        assert client.state == "closed"


async def test_authkeys_that_agree() -> None:
    connector = MemoryConnector("auth", b"key")
    async with SimpleServer(connector, echo), SimpleClient(connector) as client:
        assert await client.request(1) == 1


def test_client_ids() -> None:
    connector = MemoryConnector()
    assert SimpleClient(connector, client_id="é" * 127).client_id == "é" * 127
    assert SimpleClient(connector).client_id != SimpleClient(connector).client_id
    wrong: list[Any] = ["", "é" * 128]
    for client_id in wrong:
        with pytest.raises(ValueError, match="client id"):
            SimpleClient(connector, client_id=client_id)


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("timeout", [0, 5, None])
async def test_a_mistake_that_no_reconnect_cures(
    timeout: float | None, wait: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client = SimpleClient(LocalConnector("x" * 200))
    if wait:
        with pytest.raises(ValueError, match="at most"):
            await asyncio.wait_for(client.init(timeout), PATIENCE)
        assert client.state == "closed"
        return
    await client.init(wait=False)
    await client.throw(1)
    with pytest.raises(ValueError, match="at most"):
        await asyncio.wait_for(client.request(1), PATIENCE)
    assert "client" in logged(caplog)
    await asyncio.wait_for(client.close(), PATIENCE)
    with pytest.raises(Closed):
        await client.request(1)


async def test_an_address_that_cannot_be_used_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert "cannot resolve" in await why_not(TcpConnector("no..host", 1))
    assert "cannot connect" in await why_not(LocalConnector(f"{path}/below"))


async def why_not(connector: Connector) -> str:
    """Return why a client does not start: with more time, where there was too little for one attempt."""
    client = SimpleClient(connector, backoff=QUICK)
    for timeout in (0.05, 0.5, 5.0):
        with pytest.raises(ConnectTimeout) as caught:
            await client.init(timeout)
        if caught.value.__cause__ is not None:
            break
    return str(caught.value)


async def test_a_silent_peer_is_not_waited_for_by_close() -> None:
    connector = MemoryConnector()
    async with serving(connector) as served:
        client = await SimpleClient(connector, backoff=QUICK).init(wait=False)
        await eventually(lambda: served.links)
        await asyncio.wait_for(client.close(), PATIENCE)
        assert isinstance(served.recorders[0], Recorder)


async def test_throws_wait_for_the_next_server() -> None:
    connector = MemoryConnector()
    seen: list[int] = []
    async with SimpleServer(connector, seen.append):
        client = await SimpleClient(connector, backoff=QUICK).init()
        await client.throw(1)
        await eventually(lambda: seen == [1])
    await eventually(lambda: not client.connected)
    await client.throw(2)
    async with SimpleServer(connector, seen.append):
        await eventually(lambda: seen == [1, 2])
        await client.close()


async def test_replaced_during_init(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, echo, duplicate_clients="replace"):
        starting = [
            asyncio.create_task(SimpleClient(connector, client_id="same").init()) for _ in range(2)
        ]
        results = await asyncio.wait_for(asyncio.gather(*starting, return_exceptions=True), PATIENCE)
        winners = [each for each in results if isinstance(each, SimpleClient) and each.connected]
        assert len(winners) == 1
        for each in results:
            if isinstance(each, SimpleClient):
                await each.close(0)
            else:
                assert isinstance(each, ClientIdInUse)


async def test_idempotent_requests_that_a_closing_server_turns_away_go_to_the_next_one() -> None:
    connector = MemoryConnector()
    release = asyncio.Event()

    async def slow(data: str) -> str:
        await release.wait()
        return f"old {data}"

    old = SimpleServer(connector, slow)
    await old.init()
    async with SimpleClient(connector, backoff=QUICK) as client:
        slow_one = asyncio.ensure_future(client.request("slow"))
        await eventually(lambda: not old._pool.idle)  # type: ignore[union-attr]
        closing = asyncio.ensure_future(old.close())
        await eventually(lambda: old.state == "closing")
        with pytest.raises(ConnectionLost) as turned_away:
            await client.request("turned away")
        assert not turned_away.value.sent
        again = asyncio.ensure_future(client.request("again", idempotent=True))
        await asyncio.sleep(0.01)
        assert not again.done()
        release.set()
        assert await slow_one == "old slow"
        await closing
        async with SimpleServer(connector, lambda data: f"new {data}"):
            assert await again == "new again"
