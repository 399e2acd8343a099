"""RmqInboxConnector at a broker that is well."""

from __future__ import annotations

import asyncio
import pickle
import re
import secrets
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from communica_like import (
    Closed,
    Context,
    HandlerError,
    Limits,
    MessageTooBig,
    NoSuchRoute,
    ReqError,
    RequestTimeout,
    RespError,
    RmqConnector,
    RmqInboxConnector,
    RouteClient,
    RouteServer,
    RouteTable,
    SimpleClient,
    SimpleServer,
    blocking,
    connector_from,
)
from communica_like.connectors.amqp import connection as amqp_connection
from communica_like.connectors.amqp.inbox.topology import Topology
from communica_like.entities.inbox.calls import InboxCalls
from communica_like.exceptions import ConnectTimeout, LinkError, SerializerError
from communica_like.serializers import RawSerializer
from communica_like.testing.conformance import checks_for, meeting_of
from tests.connectors.amqp.inbox.stage import PATIENCE, URL, OwnInbox, abort_connection, until
from tests.connectors.recorder import Recorder
from tests.rmq_broker import SHARED, needs_broker


def echo(data: Any) -> Any:
    return data


async def test_requests_errors_and_routes(own: OwnInbox) -> None:
    table = RouteTable()
    thrown: list[Any] = []

    @table.handler("answer")
    async def answer(data: Any) -> Any:
        await asyncio.sleep(0)
        return [data]

    @table.handler("bytes", RawSerializer())
    def reverse(data: bytes) -> bytes:
        return data[::-1]

    @table.handler
    async def nothing() -> str:
        return "nothing"

    @table.handler("fail")
    def fail(data: str) -> None:
        raise {"req": ReqError("yours", 3), "resp": RespError("mine"), "bug": KeyError("k")}[data]

    table.add_route("thrown", thrown.append)
    table.add_route("object", lambda data: object())
    me = RouteClient(own.connector, client_id="me")
    async with RouteServer(own.connector, table) as server, me as client:
        assert client.connected
        assert server.clients == []
        assert await client.request("answer", {"a": 1}) == [{"a": 1}]
        assert await asyncio.gather(*(client.request("answer", n) for n in range(200))) == [
            [n] for n in range(200)
        ]
        blob = bytes(range(256)) * 2048
        assert await client.request("bytes", blob, serializer=RawSerializer()) == blob[::-1]
        assert await client.request("bytes", b"") == b""
        with pytest.raises(ReqError, match="yours") as caught:
            await client.request("fail", "req")
        assert caught.value.code == 3
        with pytest.raises(RespError, match="mine"):
            await client.request("fail", "resp")
        with pytest.raises(HandlerError, match="KeyError") as unknown:
            await client.request("fail", "bug")
        assert "in fail" in unknown.value.traceback
        with pytest.raises(RespError, match="cannot be dumped"):
            await client.request("object", 0)
        with pytest.raises(NoSuchRoute, match="no route 'answers'; the nearest is 'answer'") as missing:
            await client.request("answers", 0)
        assert missing.value.code == 404
        async with SimpleClient(own.connector) as simple:
            with pytest.raises(NoSuchRoute, match="is a RouteServer"):
                await simple.request()
        assert await client.request("nothing") == "nothing"
        with pytest.raises(ReqError, match="takes no data") as refused:
            await client.request("nothing", 0)
        assert refused.value.code == 422
        with pytest.raises(SerializerError, match="cannot be dumped"):
            await client.request("answer", object())
        for number in range(100):
            await client.throw("thrown", number)
        await until(lambda: len(thrown) == 100)
        assert thrown == list(range(100))
    await own.empties(own.inbox)
    assert await own.ready(own.dead) == 0


async def test_sizes(own: OwnInbox) -> None:
    small = Limits(max_message=200_000)
    server = SimpleServer(own.connector, lambda n: "x" * n, limits=small)
    async with server, SimpleClient(own.connector) as client:
        assert len(await client.request(199_998)) == 199_998
        with pytest.raises(MessageTooBig, match="200002 bytes"):
            await client.request(200_000)
        async with SimpleClient(own.connector, limits=small) as other:
            for call in (other.request, other.throw):
                with pytest.raises(MessageTooBig, match="at most 200000"):
                    await call("x" * 200_000)


async def test_what_a_handler_is_told(own: OwnInbox) -> None:
    told: list[Context] = []

    def handler(data: Any, context: Context) -> None:
        told.append(context)

    client = SimpleClient(own.connector, client_id="it's me")
    async with SimpleServer(own.connector, handler), client:
        await client.request(0, timeout=30, key="order 17")
        await client.throw(0, key="order 18")
        await client.request(0)
        await client.request(0)
        for key in ("", "k" * 256):
            with pytest.raises(ValueError, match="1 to 255 bytes"):
                await client.throw(0, key=key)
    await until(lambda: len(told) == 4)
    assert [context.client_id for context in told] == ["it's me"] * 4
    assert [context.key for context in told[:2]] == ["order 17", "order 18"]
    assert len({context.key for context in told}) == 4
    assert all(not context.redelivered and not context.deliveries for context in told)
    assert told[0].remaining is not None
    assert 20 < told[0].remaining <= 30
    assert told[1].deadline is None
    assert told[0].peer.transport == "amqp"


async def test_arguments_that_cannot_be(own: OwnInbox) -> None:
    """A bad argument fails its call, and not the client."""
    async with SimpleServer(own.connector, echo):
        client = await SimpleClient(own.connector).init(wait=False)
        for call in (client.request, client.throw):
            for key in (5, b"k"):
                with pytest.raises(TypeError, match="a key is a str"):
                    await call(0, key=key)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="not nan"):
                await call(0, timeout=float("nan"))
        assert await client.request(1, timeout=1e300) == 1
        assert await client.request(2, timeout=1e300) == 2
        await client.close()


async def test_more_clients_than_the_connection_has_room_for(own: OwnInbox) -> None:
    """The broker would close the connection that all of them share."""
    async with SimpleServer(own.connector, echo), SimpleClient(own.connector) as client:
        (only,) = amqp_connection._connections[asyncio.get_running_loop()].values()
        amqp = only._aiormq
        amqp.connection_tune.channel_max = len(amqp.channels.keys() - {0}) + 1
        with pytest.raises(ConnectTimeout, match="may have no more"):
            await SimpleClient(own.connector).init(0.5)
        assert await client.request(1) == 1
        assert client.connected
        assert not only.end_reason


async def test_a_cancelled_close_leaves_the_connection_to_others(own: OwnInbox) -> None:
    async with SimpleServer(own.connector, echo), SimpleClient(own.connector) as other:
        (only,) = amqp_connection._connections[asyncio.get_running_loop()].values()
        for turns in range(12):
            for entity in (SimpleServer(own.connector, echo), SimpleClient(own.connector)):
                await entity.init()
                closing = asyncio.ensure_future(entity.close())
                for _ in range(turns):
                    await asyncio.sleep(0)
                closing.cancel()
                await asyncio.wait([closing])
                await entity.close()
                assert await other.request(turns) == turns
        assert not only.end_reason


async def test_no_throw_is_lost_while_no_server_is_up(own: OwnInbox) -> None:
    async with SimpleClient(own.connector) as client:
        await asyncio.gather(*(client.throw(number) for number in range(50)))
    thrown: list[int] = []
    async with SimpleServer(own.connector, thrown.append):
        await until(lambda: len(thrown) == 50)
    assert sorted(thrown) == list(range(50))


async def test_a_request_whose_time_is_over_is_not_run(own: OwnInbox) -> None:
    ran: list[str] = []
    async with SimpleClient(own.connector) as client:
        with pytest.raises(RequestTimeout, match="no answer in time"):
            await client.request("late", timeout=0.1)
        asking = asyncio.ensure_future(client.request("in time", timeout=PATIENCE))
        async with SimpleServer(own.connector, ran.append):
            await asking
    assert ran == ["in time"]
    assert await own.ready(own.dead) == 0


async def test_cancellation(own: OwnInbox) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()
    ran: list[str] = []

    async def handler(data: str) -> None:
        ran.append(data)
        if data == "long":
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()

    one = replace(own.connector, prefetch=1)
    async with SimpleServer(one, handler), SimpleClient(own.connector) as client:
        long = asyncio.ensure_future(client.request("long"))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        queued = asyncio.ensure_future(client.request("queued"))
        await asyncio.sleep(0)
        queued.cancel()
        await asyncio.wait([queued])
        long.cancel()
        await asyncio.wait_for(cancelled.wait(), PATIENCE)
        await client.request("after")
    assert ran == ["long", "after"]
    assert await own.ready(own.inbox) == 0


async def test_a_closed_client(own: OwnInbox) -> None:
    client = await SimpleClient(own.connector).init()
    asking = asyncio.ensure_future(client.request(1))
    await asyncio.sleep(0)
    await client.close()
    for call in (asking, client.request(2), client.throw(3)):
        with pytest.raises(Closed):
            await call


async def test_what_is_no_message_of_ours_is_put_aside(
    own: OwnInbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with SimpleServer(own.connector, echo), SimpleClient(own.connector) as client:
        for body in (b"", b"garbage"):
            await own.channel.basic_publish(body, routing_key=own.inbox)
        assert await client.request(1) == 1
        async with asyncio.timeout(PATIENCE):
            while await own.ready(own.dead) < 2:
                await asyncio.sleep(0.01)
    assert "a message of another program" in caplog.text


async def test_an_inbox_that_was_made_otherwise(own: OwnInbox) -> None:
    async with SimpleServer(own.connector, echo):
        other = replace(own.connector, delivery_limit=3)
        with pytest.raises(LinkError, match=r"(?s)cannot be used.*delivery_limit.*PRECONDITION_FAILED"):
            await SimpleServer(other, echo).init()
        with pytest.raises(LinkError, match="another delivery_limit"):
            await asyncio.wait_for(SimpleClient(other).init(), PATIENCE)


async def test_a_lost_connection_costs_nothing(own: OwnInbox) -> None:
    ran: list[int] = []

    async def handler(data: int) -> int:
        ran.append(data)
        await asyncio.sleep(0.01)
        return data

    def begun(number: int) -> bool:
        return len(set(ran)) > number + 5

    servers = replace(own.connector, client_id="servers")
    async with SimpleServer(servers, handler) as server, SimpleClient(own.connector) as client:
        for begin in range(0, 300, 100):
            numbers = range(begin, begin + 50)
            asking = [asyncio.ensure_future(client.request(n, timeout=30)) for n in numbers]
            throwing = [asyncio.ensure_future(client.throw(n + 50)) for n in numbers]
            await until(partial(begun, begin))
            abort_connection(server)
            for connection in list(amqp_connection._connections[asyncio.get_running_loop()].values()):
                connection.transport.abort()
            assert await asyncio.gather(*asking) == list(numbers)
            await asyncio.gather(*throwing)
        await until(lambda: len(set(ran)) == 300)


async def test_a_deleted_queue_is_made_again(own: OwnInbox) -> None:
    async with SimpleServer(own.connector, echo), SimpleClient(own.connector) as client:
        assert await client.request(1) == 1
        await own.channel.queue_delete(own.inbox)
        assert await client.request(2, timeout=PATIENCE) == 2
        await client.throw(3, timeout=PATIENCE)


async def test_without_an_event_loop(own: OwnInbox) -> None:
    thrown: list[Any] = []

    def handler(data: Any) -> Any:
        thrown.append(data)
        return data

    def work() -> Any:
        with blocking.SimpleServer(own.connector, handler):
            with blocking.SimpleClient(own.connector) as client:
                client.throw("a throw", timeout=PATIENCE, key="k")
                return client.request("a request", timeout=PATIENCE)

    assert await asyncio.to_thread(work) == "a request"
    assert sorted(thrown) == ["a request", "a throw"]


async def test_another_host_when_the_first_is_not_there(own: OwnInbox, unused_tcp_port: int) -> None:
    host, port = SHARED
    elsewhere = RmqInboxConnector(
        f"amqp://guest:guest@{host}:{unused_tcp_port}/",
        own.connector.address,
        hosts=(f"{host}:{port}",),
    )
    async with SimpleServer(own.connector, echo), SimpleClient(elsewhere) as client:
        assert await client.request(1) == 1


async def test_a_client_that_has_too_much_under_way_waits(own: OwnInbox) -> None:
    release = asyncio.Event()

    async def slow(data: Any) -> int:
        await release.wait()
        return len(data)

    limits = Limits(outbox=100_000)
    async with SimpleServer(own.connector, slow), SimpleClient(own.connector, limits=limits) as client:
        asking = [asyncio.ensure_future(client.request("x" * 40_000)) for _ in range(6)]
        await until(lambda: isinstance(client._channel, InboxCalls) and client._channel._room.waiting)
        with pytest.raises(RequestTimeout, match="no room in the outbox"):
            await client.throw("one more", timeout=0.1)
        release.set()
        assert await asyncio.gather(*asking) == [40_000] * 6


ADDRESSES = ["a b/c#d@e,f+g:h", "заказы", "50 %?*=&;\u00a0", "\u0085", "é" * 96]


@pytest.mark.parametrize("text", [*ADDRESSES, "x" * 99, "x" * 100, "x" * 192])
async def test_any_address_works(text: str) -> None:
    needs_broker()
    async with OwnInbox(address=secrets.token_hex(4) + text) as own:
        async with SimpleServer(own.connector, echo), SimpleClient(own.connector) as client:
            assert await client.request(1, timeout=PATIENCE) == 1
            await client.throw(2, timeout=PATIENCE)


def test_names_at_the_broker() -> None:
    def names(address: str) -> tuple[str, str]:
        topology = Topology(address, 10)
        return topology.inbox, topology.dead

    for address in ("jobs, all", "x" * 107):
        assert names(address) == (f"communica_like.shared.{address}", f"communica_like.dead.{address}")
    others = [names(address) for address in ("é", "è", "x" * 200, "x" * 199)]
    assert len({name for pair in others for name in pair}) == 8
    for inbox, dead in others:
        assert inbox.isascii()
        assert len(inbox) <= 127
        assert re.fullmatch(r"communica_like\.dead\.[_x]+#[0-9a-f]{32}", dead)


@pytest.mark.parametrize(
    ("url", "named", "dumped"),
    [
        (
            "amqp://localhost",
            {},
            "amqp+inbox://guest@localhost:5672/?address=a%2Bb&delivery_limit=10&prefetch=32",
        ),
        (
            "amqps://u:s3cr3t@h/v?heartbeat=5",
            {"prefetch": 1, "hosts": ("b", "c:99"), "client_id": "me", "exchange_name": "x"},
            "amqps+inbox://u@h:5671/v?address=a%2Bb&exchange_name=x&client_id=me&hosts=b%2Cc%3A99"
            "&delivery_limit=10&prefetch=1&heartbeat=5",
        ),
    ],
)
def test_its_url(url: str, named: dict[str, Any], dumped: str) -> None:
    connector = RmqInboxConnector(url, "a+b", **named)
    assert connector.dump_state() == dumped
    again = connector_from(dumped, password=connector.password)
    assert isinstance(again, RmqInboxConnector)
    assert again == connector
    assert hash(again) == hash(connector)
    assert pickle.loads(pickle.dumps(connector)) == connector
    assert "s3cr3t" not in dumped + repr(connector) + connector.url
    with pytest.raises(ValueError, match=r"the scheme 'amqps?\+inbox'"):
        RmqConnector.load_state(dumped)
    with pytest.raises(ValueError, match=r"amqp\+inbox://.* is expected.*the scheme 'amqps?'"):
        RmqInboxConnector.load_state(dumped.replace("+inbox", ""))


def test_the_shortest_url() -> None:
    connector = connector_from("amqp+inbox://me:secret@a/v?address=jobs")
    assert connector == RmqInboxConnector("amqp://me@a/v", "jobs", password="secret")
    with pytest.raises(ValueError, match=r"amqps\+inbox://me@a:5671/ lacks the option address="):
        connector_from("amqps+inbox://me:secret@a/")


def test_guarantees() -> None:
    connector = RmqInboxConnector(URL, "jobs")
    declared = connector.guarantees
    assert [declared.delivers, declared.calls_back, declared.stores] == ["at least once", False, True]
    assert declared.many_servers
    assert connector.authkey is None
    assert RmqConnector.guarantees.delivers == "once"
    assert RmqConnector(URL, "jobs").inbox() is None


async def test_it_has_no_links() -> None:
    connector = RmqInboxConnector(URL, "jobs")
    for call in (connector.connect(Recorder()), connector.listen(lambda link: Recorder())):
        with pytest.raises(LinkError, match="no links"):
            await call
    with pytest.raises(TypeError, match="a shared inbox has no links"):
        checks_for(meeting_of(connector))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefetch": 0}, "prefetch is a number from 1 to 65535"),
        ({"delivery_limit": "3"}, "delivery_limit is a number from 1 to 1000"),
        ({"hosts": ("me:secret@b",)}, "'host' or 'host:port'"),
        ({"hosts": ("b?heartbeat=3",)}, "'host' or 'host:port'"),
        ({"authkey": b"0123456789abcdef"}, "authkey"),
        ({"shared": True}, "shared"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(message)) as caught:
        RmqInboxConnector(URL, "jobs", **options)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("option", ["prefetch=many", "delivery_limit=0", "prefetch=-1", "color=red"])
def test_options_of_a_url_that_cannot_be(option: str) -> None:
    with pytest.raises(ValueError, match=option.partition("=")[0]):
        connector_from(f"amqp+inbox://a/?address=jobs&{option}")


@pytest.mark.parametrize("option", ["shared", "delivery_limit", "prefetch"])
def test_options_of_an_inbox_are_not_those_of_sessions(option: str) -> None:
    options: dict[str, Any] = {option: 1}
    with pytest.raises(TypeError, match=option):
        RmqConnector(URL, "jobs", **options)
    with pytest.raises(ValueError, match=f"no option '{option}'"):
        connector_from(f"amqp://a/?address=jobs&{option}=1")
