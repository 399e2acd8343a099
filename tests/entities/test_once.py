"""Entities whose connector gives one link and no other, or that are told that the other side is gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from communica_like import Closed, ConnectionLost, Limits, MemoryConnector, SimpleClient, SimpleServer
from communica_like.abc import ConnectorGuarantees
from communica_like.exceptions import LinkError, LinkRefused, PeerGone
from tests.entities.once import OnceConnector, SlowToClose, link_of
from tests.entities.stage import PATIENCE, QUICK, echo, eventually, in_virtual_time, sessions_of

MIB = 1024 * 1024
GONE = PeerGone("it ended with exit code 3")


async def never(data: Any) -> None:
    await asyncio.Event().wait()


def is_called(entity: Any) -> bool:
    return entity._pool is not None and not entity._pool.idle


# -- PeerGone


async def test_a_server_that_is_gone_ends_the_session_at_once() -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, never) as server, SimpleClient(connector, backoff=QUICK) as client:
        asking = asyncio.create_task(client.request(1))
        await eventually(lambda: is_called(server))
        first = sessions_of(client)[0].session.session_id
        link_of(client)._break(GONE)
        with pytest.raises(ConnectionLost, match="it ended with exit code 3") as caught:
            await asyncio.wait_for(asking, PATIENCE)
        assert caught.value.sent
        # This connector finds another server; the session is a new one.
        await eventually(lambda: client.connected)
        assert sessions_of(client)[0].session.session_id != first
        await client.close(0)
        await server.close(0)


async def test_a_client_that_is_gone_ends_the_session_at_once() -> None:
    connector = OnceConnector()
    cancelled = asyncio.Event()

    async def handler(data: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with SimpleServer(connector, handler) as server:
        client = await SimpleClient(connector, never).init()
        asked = asyncio.create_task(client.request(1))
        asking = asyncio.create_task(server.request(2))
        await eventually(lambda: is_called(server) and is_called(client))
        link_of(server)._break(GONE)
        with pytest.raises(ConnectionLost, match="exit code 3"):
            await asyncio.wait_for(asking, PATIENCE)
        await asyncio.wait_for(cancelled.wait(), PATIENCE)
        assert server.clients == []
        with pytest.raises(ConnectionLost):
            await asked
        await client.close(0)


# -- a connector that does not reconnect


@pytest.mark.parametrize("failure", [LinkError("no such program"), LinkRefused("nobody"), ValueError("no")])
async def test_the_first_attempt_is_the_only_one(failure: Exception) -> None:
    connector = OnceConnector()
    connector.failure = failure
    client = SimpleClient(connector, backoff=QUICK)
    with pytest.raises(type(failure)) as caught:
        await asyncio.wait_for(client.init(), PATIENCE)
    assert caught.value is failure
    assert connector.attempts == 1
    assert client.state == "closed"
    with pytest.raises(type(failure)):
        await asyncio.wait_for(client.run(), PATIENCE)
    assert connector.attempts == 2
    connector.failure = None
    async with SimpleServer(connector, echo), client:
        assert await client.request(1) == 1


async def test_who_waited_for_the_first_attempt() -> None:
    connector = OnceConnector()
    connector.failure = LinkError("no such program")
    connector.ready.clear()
    client = await SimpleClient(connector).init(wait=False)
    asking = asyncio.create_task(client.request(1))
    await asyncio.sleep(0)
    connector.ready.set()
    with pytest.raises(ConnectionLost, match="no such program") as caught:
        await asyncio.wait_for(asking, PATIENCE)
    assert not caught.value.sent
    assert caught.value.__cause__ is connector.failure
    with pytest.raises(LinkError, match="no such program"):
        await client.throw(1)
    await client.close()


@pytest.mark.parametrize("error, found", [(GONE, "exit code 3"), (None, "no other one: closed by the other")])
async def test_when_the_link_is_lost_the_client_has_ended(error: Exception | None, found: str) -> None:
    connector = OnceConnector()
    async with SimpleServer(connector, never) as server, SimpleClient(connector, backoff=QUICK) as client:
        calls = [client.request(1), client.request(2, idempotent=True)]
        asking = [asyncio.create_task(call) for call in calls]
        await eventually(lambda: is_called(server))
        link_of(client)._break(error)
        outcomes = await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), PATIENCE)
        for outcome in outcomes:
            assert isinstance(outcome, ConnectionLost)
            assert found in str(outcome)
            assert str(outcome).count("outcome") == 1
            assert outcome.sent
        for later in (client.request, client.throw):
            with pytest.raises(ConnectionLost, match=found) as caught:
                await later(3)
            assert not caught.value.sent
        assert connector.attempts == 1
        assert not client.connected
        await asyncio.wait_for(client.close(), PATIENCE)  # there is nobody to wait for
        with pytest.raises(Closed):
            await client.request(4)
        await server.close(0)


async def test_run_of_the_client_raises() -> None:
    connector = OnceConnector()
    async with SimpleServer(connector, echo):
        client = SimpleClient(connector)
        running = asyncio.create_task(client.run())
        await eventually(lambda: client.connected)
        link_of(client)._break(GONE)
        with pytest.raises(ConnectionLost, match="exit code 3"):
            await asyncio.wait_for(running, PATIENCE)
        assert client.state == "closed"


@in_virtual_time
async def test_the_handshake_timeout_is_the_connectors() -> None:
    class Hasty(OnceConnector):
        handshake_timeout = 0.05

    connector = Hasty()
    listener = await connector.listen(lambda link: SilentReceiver())
    with pytest.raises(LinkError, match=r"no answer from once:// within 0.05 s"):
        await asyncio.wait_for(SimpleClient(connector).init(), PATIENCE)
    with pytest.raises(LinkError, match=r"no answer from once:// within 0.02 s"):
        await asyncio.wait_for(SimpleClient(connector, handshake_timeout=0.02).init(), PATIENCE)
    await listener.close()


class SilentReceiver:
    """Says nothing."""

    def data_received(self, data: bytes) -> None:
        pass

    def link_writable(self) -> None:
        pass

    def link_broken(self, error: Exception | None) -> None:
        pass


# -- silence


async def test_a_heartbeat_is_kept_only_if_it_is_asked_for() -> None:
    connector = OnceConnector()
    limits = Limits(max_message=MIB)
    assert SimpleServer(connector, limits=limits).limits is limits
    connector.guarantees = ConnectorGuarantees(resumes=False)  # type: ignore[misc]
    for entity in (SimpleServer(connector, limits=limits), SimpleClient(connector, limits=limits)):
        assert entity.limits == replace(limits, heartbeat=86_400.0)
    hasty = Limits(heartbeat=0.1)
    assert SimpleClient(connector, limits=hasty).limits is hasty
    async with SimpleServer(connector, echo), SimpleClient(connector, limits=hasty) as client:
        [peer] = sessions_of(client)
        assert peer.session.agreed.heartbeat == 0.1


# -- a listener that is over


async def test_run_of_the_server_ends_with_its_listener() -> None:
    connector = OnceConnector()
    handled: list[int] = []

    async def handler(data: int) -> None:
        await asyncio.sleep(0.02)
        handled.append(data)

    server = SimpleServer(connector, handler)
    running = asyncio.create_task(server.run())
    await eventually(lambda: connector.listener is not None)
    client = await SimpleClient(connector).init()
    for number in range(100):
        await client.throw(number)
    await eventually(lambda: is_called(server))
    await client.close()
    assert connector.listener is not None
    connector.listener.over.set()
    await asyncio.wait_for(running, PATIENCE)
    assert server.state == "closed"
    assert handled == list(range(100)), "what was accepted is handled"


async def test_a_server_in_a_block_closes_with_its_listener() -> None:
    connector = OnceConnector()
    async with SimpleServer(connector, echo) as server:
        waiting = asyncio.create_task(server.request(1))
        assert connector.listener is not None
        connector.listener.over.set()
        await eventually(lambda: server.state == "closed")
        with pytest.raises(Closed):
            await asyncio.wait_for(waiting, PATIENCE)
    async with server:  # and it may be started again
        assert server.state == "running"
    await server.close()


# -- a link that lingers


@in_virtual_time
async def test_close_waits_for_a_link_that_lingers() -> None:
    connector = SlowToClose()
    now = asyncio.get_running_loop().time
    async with SimpleServer(connector, echo):
        for timeout, least, most in ((None, 1.4, PATIENCE), (0, 0.0, 1.3)):
            client = await SimpleClient(connector).init()
            began = now()
            await asyncio.wait_for(client.close(timeout), PATIENCE)
            assert least <= now() - began <= most
