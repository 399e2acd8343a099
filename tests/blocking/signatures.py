"""What mypy makes of the blocking classes. It runs over this file with all others; nothing is called."""

import asyncio
from typing import Any, assert_type

from communica_like import ClientInfo, Connector, Limits, RouteTable
from communica_like.blocking import Portal, RouteClient, RouteServer, SimpleClient, SimpleServer
from communica_like.serializers import JsonSerializer


def simple(connector: Connector) -> None:
    """Blocking calls have the arguments of the async ones, and what they return."""
    with SimpleClient(connector, print, client_id="c", workers=2, portal=Portal()) as client:
        assert_type(client, SimpleClient)
        assert_type(client.request(1, timeout=2.0, idempotent=True), Any)
        client.throw(data={"a": 1})
        assert_type(client.connected, bool)
        assert_type(client.client_id, str)
        assert_type(client.limits, Limits)
        assert_type(client.default_timeout, float | None)
        assert_type(client.init(timeout=5), SimpleClient)
        assert_type(client.init(wait=False), SimpleClient)
        client.stop()
        client.close(timeout=0)
    with SimpleServer(connector, print, duplicate_clients="replace", workers=1) as server:
        assert_type(server.request(1, client_id="client", timeout=2.0), Any)
        server.throw(1, client_id="client")
        assert_type(server.address, str)
        assert_type(server.clients, list[ClientInfo])
        assert_type(server.state, str)
    server.run()


def decorators(table: RouteTable) -> None:
    """A handler stays what it is."""

    @table.handler
    def bare(data: int) -> str:
        return str(data)

    @table.handler()
    async def called() -> bytes:
        return b""

    @table.handler("name", serializer=JsonSerializer())
    def named(data: int) -> str:
        return str(data)

    assert_type(bare(data=1), str)
    assert_type(asyncio.run(called()), bytes)
    assert_type(named(data=1), str)


def routes(connector: Connector, table: RouteTable) -> None:
    """The same, with routes."""
    with RouteClient(connector, [table, None], client_id="c", default_timeout=3) as client:
        assert_type(client.request("route"), Any)
        assert_type(client.request("route", 1, timeout=2.0), Any)
        assert_type(client.request("route", 1, timeout=None), Any)
        client.throw("route", data=None)
        assert_type(client.routes, RouteTable)
    with RouteServer(connector, table) as server:
        assert_type(server.request("route", 1, client_id="c", idempotent=False), Any)
        server.throw("route", client_id="c", timeout=1)
        assert_type(server.path, str | None)
        assert_type(server.init(0), RouteServer)
