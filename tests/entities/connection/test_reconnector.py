"""Connected, and connected again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from communica_like import (
    Backoff,
    ConnectionLost,
    LocalConnector,
    MemoryConnector,
    SimpleClient,
    SimpleServer,
)
from communica_like.abc import Connector, Link, LinkReceiver, Listener
from communica_like.entities.connection.acceptor import Acceptor
from communica_like.exceptions import ClientIdInUse, LinkError, LinkRefused
from tests.entities.stage import PATIENCE, QUICK, echo, eventually, logged, sessions_of


class Flaky(Connector):
    """Connects as it is told to."""

    scheme: ClassVar[str] = "flaky"
    authkey = None

    def __init__(self, inner: MemoryConnector) -> None:
        self.inner = inner
        self.failure: Exception | None = None
        self.attempts: list[float] = []

    async def connect(self, receiver: LinkReceiver) -> Link:
        self.attempts.append(asyncio.get_running_loop().time())
        if self.failure is not None:
            raise self.failure
        return await self.inner.connect(receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await self.inner.listen(accept)

    def dump_state(self) -> str:
        return "flaky://"

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        raise ValueError(text)


async def never(data: Any) -> None:
    await asyncio.sleep(30)


def cut(client: SimpleClient) -> None:
    [peer] = sessions_of(client)
    assert peer._writer.link is not None
    peer._writer.link.abort()


async def test_waits_grow_and_failures_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    connector = Flaky(MemoryConnector())
    backoff = Backoff(initial=0.01, maximum=0.04, jitter=0)
    client = await SimpleClient(connector, backoff=backoff).init(wait=False)
    await eventually(lambda: len(connector.attempts) >= 6)
    await client.close()
    waits = [b - a for a, b in zip(connector.attempts, connector.attempts[1:], strict=False)]
    for wait, least in zip(waits, [0.01, 0.02, 0.04, 0.04, 0.04], strict=False):
        assert wait >= least * 0.9
    assert logged(caplog).count("cannot connect") == 1


async def test_a_session_is_saved_at_once() -> None:
    connector = Flaky(MemoryConnector())
    calls = 0

    async def handler(data: Any) -> Any:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        return data

    async with SimpleServer(connector.inner, handler):
        backoff = Backoff(initial=3600, maximum=3600)
        async with SimpleClient(connector, backoff=backoff) as client:
            asking = asyncio.create_task(client.request(7))
            await eventually(lambda: calls)
            cut(client)
            assert await asyncio.wait_for(asking, PATIENCE) == 7
    assert calls == 1


async def test_broken_links_keep_the_session_and_a_refusal_ends_it() -> None:
    connector = Flaky(MemoryConnector())
    server = await SimpleServer(connector.inner, never).init()
    async with SimpleClient(connector, backoff=QUICK) as client:
        asking = asyncio.create_task(client.request(1))
        await eventually(lambda: server._pool is not None and not server._pool.idle)
        connector.failure = LinkError("the network is down")
        cut(client)
        seen = len(connector.attempts)
        await eventually(lambda: len(connector.attempts) > seen + 3)
        assert not asking.done()
        connector.failure = LinkRefused("nobody there")
        with pytest.raises(ConnectionLost, match="the server is gone: nobody there") as caught:
            await asyncio.wait_for(asking, PATIENCE)
        assert caught.value.sent is True
        waiting = asyncio.create_task(client.request(2))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await client.close(0)
        await asyncio.wait([waiting])
        assert waiting.exception() is not None
    await server.close(0)


async def test_a_server_that_was_restarted_does_not_know_the_session() -> None:
    connector = MemoryConnector()
    server = await SimpleServer(connector, never).init()
    async with SimpleClient(connector, backoff=QUICK) as client:
        asking = asyncio.create_task(client.request(1))
        await eventually(lambda: server._pool is not None and not server._pool.idle)
        # As if it were killed: no goodbye, and the next one is there at once.
        assert isinstance(server._backend, Acceptor)
        assert server._backend._listener is not None
        await server._backend._listener.close()
        async with SimpleServer(connector, echo):
            cut(client)
            with pytest.raises(ConnectionLost, match="does not know the session"):
                await asyncio.wait_for(asking, PATIENCE)
            assert await asyncio.wait_for(client.request(5), PATIENCE) == 5
            await client.close()
    await server.close(0)


async def test_a_replaced_client_stops_for_good_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, never, duplicate_clients="replace") as server:
        first = await SimpleClient(connector, client_id="same", backoff=QUICK).init()
        asking = asyncio.create_task(first.request(1))
        await eventually(lambda: server._pool is not None and not server._pool.idle)
        async with SimpleClient(connector, echo, client_id="same", backoff=QUICK) as second:
            with pytest.raises((ConnectionLost, ClientIdInUse)):
                await asyncio.wait_for(asking, PATIENCE)
            assert first._keeper is not None
            await asyncio.wait([first._keeper], timeout=PATIENCE)
            for call in (first.request, first.throw):
                with pytest.raises(ClientIdInUse, match="another client took over the id 'same'"):
                    await call(2)
            assert await server.request(3, client_id="same") == 3
            assert second.connected
            await asyncio.wait_for(first.close(), PATIENCE)
            assert [each.connected for each in server.clients] == [True]
    assert "client 'same' stops: another client took over" in logged(caplog)


async def test_the_second_client_of_an_id_is_refused() -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, echo):
        async with SimpleClient(connector, client_id="same") as first:
            second = SimpleClient(connector, client_id="same", backoff=QUICK)
            with pytest.raises(ClientIdInUse, match="'same' is in use by a live client"):
                await asyncio.wait_for(second.init(), PATIENCE)
            # Without a deadline it goes on trying, and requests hear why.
            await second.init(wait=False)
            with pytest.raises(ConnectionLost, match="does not let this client in") as caught:
                await asyncio.wait_for(second.request(1), PATIENCE)
            assert isinstance(caught.value.__cause__, ClientIdInUse)
            assert caught.value.sent is False
            assert await first.request(1) == 1
        await eventually(lambda: second.connected)
        assert await second.request(1) == 1
        await second.close()


async def test_over_real_sockets_too(tmp_path: Path) -> None:
    connector = LocalConnector(str(tmp_path / "s"))
    server = await SimpleServer(connector, echo).init()
    async with SimpleClient(connector, backoff=QUICK) as client:
        for number in range(3):
            assert await client.request(number) == number
            await server.close()
            await eventually(lambda: not client.connected)
            await server.init()
            assert await asyncio.wait_for(client.request(number), PATIENCE) == number
        cut(client)
        assert await asyncio.wait_for(client.request(9), PATIENCE) == 9
        await client.close()
    await server.close()


async def test_run_of_a_replaced_client_ends_with_the_reason() -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, str, duplicate_clients="replace"):
        first = SimpleClient(connector, client_id="same")
        running = asyncio.ensure_future(first.run())
        while not first.connected:
            await asyncio.sleep(0)
        async with SimpleClient(connector, client_id="same"):
            with pytest.raises(ClientIdInUse, match="took over"):
                await running
        assert first.state == "closed"
