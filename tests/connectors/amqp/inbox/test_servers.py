"""Servers of a shared inbox: who gets what, and what becomes of it when one closes or dies."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Any

import pytest

from communica_like import (
    Closed,
    ConnectionLost,
    Context,
    FeatureNotAvailable,
    RequestTimeout,
    SimpleClient,
    SimpleServer,
)
from communica_like.connectors.amqp import connection as amqp_connection
from communica_like.entities.inbox.acceptor import InboxAcceptor
from tests.connectors.amqp.inbox.stage import PATIENCE, OwnInbox, kill, until


def echo(data: Any) -> Any:
    return data


async def test_a_cancelled_close_leaves_nothing_open(own: OwnInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asyncio.all_tasks()
    server = await SimpleServer(own.connector, echo).init()
    disconnecting = asyncio.Event()
    disconnect = InboxAcceptor.disconnect

    async def note(acceptor: InboxAcceptor, timeout: float, linger: bool) -> None:
        disconnecting.set()
        await disconnect(acceptor, timeout, linger)

    monkeypatch.setattr(InboxAcceptor, "disconnect", note)
    closing = asyncio.ensure_future(server.close())
    await disconnecting.wait()
    closing.cancel()
    await asyncio.wait([closing])
    await until(lambda: asyncio.all_tasks() == before)
    assert not amqp_connection._connections.get(asyncio.get_running_loop())


async def test_what_waits_in_hand_for_too_long_is_not_run(own: OwnInbox) -> None:
    ran: list[str] = []
    begun = asyncio.Event()

    async def handler(data: str) -> None:
        ran.append(data)
        if data == "nested":
            begun.set()
            async with SimpleClient(own.connector) as inner:
                await inner.request("never")

    one = replace(own.connector, prefetch=1)
    async with SimpleServer(one, handler), SimpleClient(own.connector) as client:
        # The inner request inherits the time of the outer one, which keeps the only place of the server.
        for timeout in (0.3, 2.0, 15.0):  # a busy broker may bring it too late to be run
            with pytest.raises(RequestTimeout):
                await client.request("nested", timeout=timeout)
            if begun.is_set():
                break
        await client.request("after")
    assert ran == ["nested", "after"]


async def test_each_request_goes_to_a_free_server(own: OwnInbox) -> None:
    release = asyncio.Event()
    ran: list[str] = []

    async def busy(data: str) -> None:
        ran.append("busy")
        await release.wait()

    one = replace(own.connector, prefetch=1)
    async with SimpleServer(one, busy), SimpleClient(own.connector) as client:
        stuck = asyncio.ensure_future(client.request("stuck"))
        await until(lambda: ran)
        async with SimpleServer(one, lambda data: "free"):
            assert [await client.request(n) for n in range(20)] == ["free"] * 20
        release.set()
        await stuck


async def test_what_a_server_had_in_hand_when_it_died_goes_to_another(own: OwnInbox) -> None:
    begun = asyncio.Event()

    async def hangs(data: Any) -> None:
        begun.set()
        await asyncio.sleep(60)

    def other(data: Any, context: Context) -> Any:
        return [context.redelivered, context.deliveries, context.key]

    async with SimpleClient(own.connector) as client:
        other_name = replace(own.connector, client_id="another connection")
        dying = await SimpleServer(replace(own.connector, client_id="dies"), hangs).init()
        asking = asyncio.ensure_future(client.request(1, key="k"))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        async with SimpleServer(other_name, other):
            await kill(dying)
            assert await asking == [True, 1, "k"]


async def test_a_closing_server_ends_its_handlers_and_leaves_the_rest(own: OwnInbox) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def first(data: Any) -> str:
        begun.set()
        await release.wait()
        return "first"

    async with SimpleClient(own.connector) as client:
        closing = await SimpleServer(replace(own.connector, prefetch=1), first).init()
        asking = asyncio.ensure_future(client.request(1))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        waiting = asyncio.ensure_future(client.request(2))
        end = asyncio.ensure_future(closing.close())
        async with SimpleServer(own.connector, lambda data: "second"):
            assert await waiting == "second"
            release.set()
            assert await asking == "first"
            await end


async def test_what_a_closing_server_has_not_begun_goes_back_once(own: OwnInbox) -> None:
    closing: list[asyncio.Task[None]] = []

    def first(data: Any) -> str:
        if not closing:
            closing.append(asyncio.ensure_future(server.close()))
        time.sleep(0.01)
        return "first"

    def second(data: Any, context: Context) -> int | None:
        return context.deliveries

    server = SimpleServer(own.connector, first)
    async with SimpleClient(own.connector) as client:
        asking = [asyncio.ensure_future(client.request(n)) for n in range(30)]
        with contextlib.suppress(Closed):  # a handler may close the server before this returns
            await server.init()
        await until(lambda: closing)
        await closing[0]
        async with SimpleServer(own.connector, second):
            answers = await asyncio.gather(*asking)
    assert answers.count("first") >= 1
    assert answers.count(1) >= 20
    assert set(answers) <= {"first", 1, None}


async def test_a_server_cannot_call_clients(own: OwnInbox) -> None:
    assert not own.connector.guarantees.calls_back
    async with SimpleServer(own.connector, echo) as server, SimpleClient(own.connector):
        for call in (server.request(1), server.throw(1), server.request(1, client_id="a client")):
            with pytest.raises(FeatureNotAvailable, match=r"has no clients to call.*with RmqConnector"):
                await call


@pytest.mark.parametrize("own", [{"delivery_limit": 25}], indirect=True)
async def test_what_killed_servers_is_put_aside(own: OwnInbox) -> None:
    # In each life of a server an innocent message is done with one chance in two.
    ran: list[str] = []
    one = replace(own.connector, client_id="servers")

    poisoned = asyncio.Event()

    async def handler(data: str) -> None:
        ran.append(data)
        if data == "poison":
            poisoned.set()
            await asyncio.sleep(60)
        await asyncio.sleep(0.02)

    async def supervise() -> None:
        while True:
            server = await SimpleServer(one, handler).init()
            try:
                await poisoned.wait()
            finally:
                poisoned.clear()
                await kill(server)

    async with SimpleClient(own.connector) as client:
        before = [asyncio.ensure_future(client.request(f"innocent {n}")) for n in range(5)]
        deadly = asyncio.ensure_future(client.request("poison"))
        await asyncio.sleep(0)
        after = [asyncio.ensure_future(client.request(f"innocent {n}")) for n in range(5)]
        supervisor = asyncio.ensure_future(supervise())
        try:
            with pytest.raises(ConnectionLost, match="put aside: it came back more than 25 times") as caught:
                await asyncio.wait_for(deadly, 2 * PATIENCE)
            assert caught.value.sent
            await asyncio.gather(*before, *after)
        finally:
            supervisor.cancel()
            await asyncio.wait([supervisor])
    assert ran.count("poison") == 26
    assert await own.ready(own.dead) == 1
    found = await own.channel.basic_get(own.dead, no_ack=True)
    assert b"poison" in found.body
