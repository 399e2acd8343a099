from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import communica_like
from communica_like import (
    CommunicaError,
    MemoryConnector,
    NoSuchRoute,
    ReqError,
    RouteClient,
    RouteOverrideError,
    RouteServer,
    RouteTable,
    SimpleClient,
    SimpleServer,
    blocking,
)
from communica_like.serializers import JsonSerializer
from tests.entities.stage import echo, eventually, logged, route_pair
from tests.entities.test_simple import Upper


def test_the_order_of_arguments() -> None:
    def names(kind: Callable[..., Any]) -> list[str]:
        parameters = inspect.signature(kind).parameters.values()
        return [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]

    assert names(RouteServer) == names(RouteClient) == ["connector", "route_table"]
    for kind in (RouteServer, RouteClient):
        for call in (kind.request, kind.throw):
            assert names(call) == ["self", "route", "data"]


def table_with(name: str, answer: Any) -> RouteTable:
    table = RouteTable(name)
    table.add_route(name, lambda data: answer)
    return table


async def test_requests_and_throws_both_ways() -> None:
    seen: list[Any] = []
    table = RouteTable()
    table.add_route("echo", echo)
    table.add_route("seen", seen.append)
    async with route_pair(table, table) as (server, client):
        assert await client.request("echo", 1) == 1
        assert await server.request("echo", 2, client_id=client.client_id) == 2
        await client.throw("seen", 3)
        await server.throw("seen", 4)
        await eventually(lambda: sorted(seen) == [3, 4])


async def test_several_tables() -> None:
    connector = MemoryConnector()
    server = RouteServer(connector, [table_with("a", 1), None, table_with("b", 2)])
    async with server, RouteClient(connector, route_table=iter([table_with("c", 3)])) as client:
        assert [await client.request(name, 0) for name in "ab"] == [1, 2]
        assert await server.request("c", 0) == 3
    with pytest.raises(RouteOverrideError, match="'a' of table 'a'"):
        RouteServer(connector, [table_with("a", 1), table_with("a", 2)])


@pytest.mark.parametrize(
    "kind, given, other_call",
    [
        (RouteServer, echo, "; with one handler: SimpleServer(connector, handler)"),
        (RouteClient, echo, "; with one handler: SimpleClient(connector, handler)"),
        (RouteClient, "me", "; with an id: RouteClient(connector, client_id='me')"),
        (RouteServer, "me", ""),
        (RouteServer, ["a"], ""),
        (RouteClient, [RouteTable(), 5], ""),
        (RouteServer, JsonSerializer(), ""),
    ],
)
@pytest.mark.parametrize("module", [communica_like, blocking], ids=["async", "blocking"])
def test_what_is_no_table(module: Any, kind: type, given: Any, other_call: str) -> None:
    with pytest.raises(TypeError, match="a RouteTable is expected, not ") as caught:
        getattr(module, kind.__name__)(MemoryConnector(), given)
    assert str(caught.value).endswith(f": {kind.__name__}(connector, table){other_call}")


@pytest.mark.parametrize("module", [communica_like, blocking], ids=["async", "blocking"])
def test_a_table_is_no_client_id(module: Any) -> None:
    with pytest.raises(TypeError, match=r"client id is a str, .*: RouteClient\(connector, table, client_id="):
        module.RouteClient(MemoryConnector(), client_id=RouteTable())


async def test_routes_are_copied() -> None:
    table = table_with("a", 1)
    async with route_pair(table) as (server, client):
        table.add_route("later", echo)
        with pytest.raises(ReqError):
            await client.request("later", 0)
        server.routes.add_route("later", lambda data: "own")
        assert await client.request("later", 0) == "own"
        assert "later" in server.routes


async def test_routes_may_come_while_it_runs() -> None:
    async with route_pair() as (server, client):

        @client.routes.handler("mine")
        async def mine(data: Any) -> Any:
            return ["client", data]

        @server.routes.handler("yours", Upper())
        def yours(data: Any) -> Any:
            return data

        assert await server.request("mine", 1) == ["client", 1]
        assert await client.request("yours", "x", serializer=Upper()) == "X"
        with pytest.raises(RouteOverrideError, match="'mine' is already served by"):
            client.routes.add_route("mine", echo)


async def test_a_route_uses_one_serializer() -> None:
    async with route_pair() as (server, client):
        server.routes.add_route("up", echo, Upper())
        shared = Upper()
        assert await client.request("up", "a", serializer=shared) == "A"
        assert await client.request("up", "b") == "B"
        for call in (client.request, client.throw):
            with pytest.raises(TypeError, match="always uses one serializer: 'up'"):
                await call("up", "c", serializer=Upper())
        with pytest.raises(TypeError, match="always uses one serializer"):
            await server.throw("up", "c", serializer=Upper())


async def test_default_serializers() -> None:
    connector = MemoryConnector()
    async with RouteServer(connector, serializer=(up := Upper())) as server:
        server.routes.add_route("r", echo)
        async with RouteClient(connector, serializer=up) as client:
            assert await client.request("r", "a") == "A"


@pytest.mark.parametrize("route", [None, 5, b"r", ["r"]])
async def test_names_that_are_no_text(route: Any) -> None:
    async with route_pair() as (_, client):
        with pytest.raises(TypeError):
            await client.request(route, 1)


@pytest.mark.parametrize("route", ["", "x" * 65536, "é" * 40000, "\ud800"])
async def test_names_that_do_not_fit(route: str) -> None:
    """An error of the argument, not the 404 of a route that is missing."""
    async with route_pair() as (_, client):
        with pytest.raises(ValueError, check=lambda error: not isinstance(error, CommunicaError)):
            await client.request(route, 1)


async def test_the_longest_name() -> None:
    async with route_pair() as (server, client):
        server.routes.add_route("é" * 32767, echo)
        assert await client.request("é" * 32767, 1) == 1


async def test_simple_and_route_do_not_mix_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector, echo), RouteClient(connector) as client:
        with pytest.raises(NoSuchRoute, match=r"is a SimpleServer, .* as 'r': call it with a SimpleClient"):
            await client.request("r", 1)
        await client.throw("r", 1)
        await eventually(lambda: "a throw failed: the other side is a SimpleServer" in logged(caplog))
    async with RouteServer(connector) as server, SimpleClient(connector, echo) as simple:
        with pytest.raises(NoSuchRoute, match=r"is a RouteServer, .* call it with a RouteClient") as caught:
            await asyncio.wait_for(simple.request(1), 40)
        assert caught.value.code == 404
        with pytest.raises(NoSuchRoute, match=r"is a SimpleClient, .* call it with a SimpleServer"):
            await server.request("r", 1)
    async with SimpleServer(connector, echo) as simple_server, RouteClient(connector):
        with pytest.raises(NoSuchRoute, match=r"is a RouteClient, .* call it with a RouteServer"):
            await simple_server.request(1)


async def test_a_route_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    async with route_pair(table_with("user.remove", 1), table_with("shown", 2)) as (server, client):
        with pytest.raises(NoSuchRoute, match=r"no route 'user\.removes'; the nearest is 'user\.remove'"):
            await client.request("user.removes")
        with pytest.raises(NoSuchRoute, match="the nearest is 'shown'"):
            await server.request("show")
        await client.throw("remove")
        await eventually(lambda: "a throw failed: the other side has no route 'remove'" in logged(caplog))
        # A handler passes it on as it is.
        client.routes.add_route("forward", lambda: server.request("nowhere"))
        with pytest.raises(NoSuchRoute, match="'nowhere'"):
            await server.request("forward")
        assert "forward" not in logged(caplog)
