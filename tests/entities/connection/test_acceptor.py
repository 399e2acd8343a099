from __future__ import annotations

import asyncio
from typing import Any

import pytest

from communica_like import MemoryConnector, SimpleClient, SimpleServer
from communica_like.entities.connection.acceptor import Acceptor
from communica_like.exceptions import ClientIdInUse
from tests.connectors.recorder import Recorder
from tests.entities.stage import PATIENCE, QUICK, echo, eventually, in_virtual_time, logged, sessions_of


@in_virtual_time
async def test_a_stranger_that_says_nothing_is_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, echo, handshake_timeout=0.02):
        stranger = Recorder()
        await connector.connect(stranger)
        await stranger.until_broken()
    assert "said nothing within 0.0 s" in logged(caplog)


async def test_strangers_are_seen_off_when_it_closes() -> None:
    connector = MemoryConnector()
    server = await SimpleServer(connector, echo, handshake_timeout=60).init()
    stranger = Recorder()
    await connector.connect(stranger)
    await server.close()
    await stranger.until_broken()


async def test_who_was_being_accepted_when_it_closed_is_seen_off() -> None:
    connector = MemoryConnector()
    server = await SimpleServer(connector, echo, handshake_timeout=60).init()
    acceptor = server._backend
    assert isinstance(acceptor, Acceptor)
    await server.close()
    listener = await connector.listen(acceptor.accept)
    stranger = Recorder()
    await connector.connect(stranger)
    await stranger.until_broken()
    assert not acceptor._receivers
    await listener.close()


async def test_a_gone_clients_id_is_free_at_once() -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, echo) as server:
        first = await SimpleClient(connector, client_id="same", backoff=QUICK).init()
        assert first._keeper is not None
        first._keeper.cancel()  # its process is gone, say
        [peer] = sessions_of(first)
        assert peer._writer.link is not None
        peer._writer.link.abort()
        await eventually(lambda: [each.connected for each in server.clients] == [False])
        assert first.client_id == server.clients[0].client_id
        async with SimpleClient(connector, client_id="same") as second:
            assert await second.request(1) == 1
            assert len(server.clients) == 1
        await first.close(0)


@pytest.mark.parametrize("policy", ["refuse", "replace"])
async def test_duplicates(policy: Any) -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, duplicate_clients=policy) as server:
        first = await SimpleClient(connector, lambda data: 1, client_id="same", backoff=QUICK).init()
        second = SimpleClient(connector, lambda data: 2, client_id="same", backoff=QUICK)
        if policy == "refuse":
            with pytest.raises(ClientIdInUse):
                await asyncio.wait_for(second.init(), PATIENCE)
        else:
            await asyncio.wait_for(second.init(), PATIENCE)
        assert await server.request(0, client_id="same") == (1 if policy == "refuse" else 2)
        await first.close(0)
        await second.close(0)


async def test_live_clients_are_preferred() -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector) as server:
        away = await SimpleClient(connector, lambda data: "away", client_id="away").init()
        there = await SimpleClient(connector, lambda data: "there", client_id="there").init()
        assert away._keeper is not None
        away._keeper.cancel()
        [peer] = sessions_of(away)
        assert peer._writer.link is not None
        peer._writer.link.abort()
        await eventually(lambda: {each.client_id: each.connected for each in server.clients}["away"] is False)
        assert [await server.request(0) for _ in range(4)] == ["there"] * 4
        await away.close(0)
        await there.close(0)


async def test_a_client_cannot_claim_what_was_never_sent(caplog: pytest.LogCaptureFixture) -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, echo), SimpleClient(connector, backoff=QUICK) as client:
        [peer] = sessions_of(client)
        peer.session._inbound.count += 1000  # it believes to have more than there was
        assert peer._writer.link is not None
        peer._writer.link.abort()
        await eventually(lambda: "cannot go on from frame" in logged(caplog))
        assert await asyncio.wait_for(client.request(1), PATIENCE) == 1
