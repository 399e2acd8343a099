"""RmqConnector at a broker that is well. All its promises are checked in tests/testing/conformance."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import signal
from typing import Any

import aiormq
import pytest

from communica_like import ConnectionLost, Limits, Link, RmqConnector, SimpleClient, SimpleServer, features
from communica_like.abc import Listener
from communica_like.connectors.amqp import connection as amqp_connection
from communica_like.connectors.amqp import link as amqp_link
from communica_like.connectors.amqp import listener as amqp_listener
from communica_like.connectors.amqp.connection import Connection
from communica_like.connectors.amqp.link import AmqpLink
from communica_like.connectors.amqp.link_messages import CONNECT, DATA, HEADER, TO_SERVER, Introduction
from communica_like.connectors.amqp.listener import AmqpListener
from communica_like.connectors.amqp.names import address_key
from communica_like.connectors.amqp.protocol import AmqpProtocol
from communica_like.connectors.amqp.url import BrokerUrl
from communica_like.connectors.links import send_buffer
from communica_like.exceptions import FeatureNotAvailable, LinkError, LinkRefused
from communica_like.system import ProcessId
from communica_like.testing import FaultyConnector
from communica_like.testing.conformance import meeting_of
from communica_like.testing.conformance.processes.stage import Stage
from tests.connectors.recorder import PATIENCE, Recorder, Served
from tests.connectors.recorder import eventually as until
from tests.process import AsyncProgram
from tests.rmq_broker import SHARED, needs_broker

URL = "amqp://guest:guest@{}:{}/".format(*SHARED)

_numbers = itertools.count(1)


@pytest.fixture
def connector() -> RmqConnector:
    needs_broker()
    return RmqConnector(URL, f"test-{os.getpid()}-{next(_numbers)}-{secrets.token_hex(4)}")


def connections() -> int:
    """How many connections this event loop has."""
    return len(amqp_connection._connections.get(asyncio.get_running_loop(), {}))


@contextlib.asynccontextmanager
async def pair(connector: RmqConnector) -> Any:
    """Both ends of a link, with their receivers, and the listener."""
    served, near = Served(), Recorder()
    listener = await connector.listen(served.accept)
    try:
        link = await connector.connect(near)
        await until(lambda: served.links)
        yield link, near, served.links[0], served.recorders[0], listener
    finally:
        for end in (link, *served.links):
            end.abort()
        await listener.close()
        await until(lambda: not connections())


async def test_a_connection_is_shared_and_goes_with_the_last_user(connector: RmqConnector) -> None:
    other = RmqConnector(URL, connector.address + "-other")
    before = asyncio.all_tasks()
    async with SimpleServer(connector, str), SimpleServer(other, str):
        async with SimpleClient(connector) as client, SimpleClient(other):
            assert connections() == 1
            assert await client.request(1) == "1"
            async with SimpleClient(RmqConnector(URL, connector.address, client_id="by another name")):
                assert connections() == 2
            assert connections() == 1
    assert connections() == 0
    assert asyncio.all_tasks() == before


async def test_large_sends_arrive_whole(connector: RmqConnector) -> None:
    async with pair(connector) as (link, _, far, far_end, _listener):
        blob = secrets.token_bytes(3 << 20)
        link.send(blob)
        assert not link.writable
        link.send(b"the end")
        await until(lambda: len(far_end.data) == len(blob) + 7)
        assert far_end.data == blob + b"the end"
        assert link.writable
        far.send(b"x" * 200_000)
        far.close()
        await until(lambda: far_end.broken.is_set())


async def test_a_slow_side_holds_the_other_back(
    connector: RmqConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pair(connector) as (link, near, far, far_end, _):
        assert isinstance(far, AmqpLink)
        held: list[tuple[Any, ...]] = []
        receive = far.message_received
        monkeypatch.setattr(far, "message_received", lambda *arguments: held.append(arguments))
        sent = 0
        while link.writable:
            link.send(b"x" * 10_000)
            sent += 10_000
            await asyncio.sleep(0)

        def under_way() -> int:
            return sum(len(data) for _, _, data in held)

        await until(lambda: sent - under_way() <= send_buffer._HIGH_WATER + 10_000)
        assert under_way() <= amqp_link._CREDIT + amqp_link._MAX_MESSAGE
        monkeypatch.setattr(far, "message_received", receive)
        for arguments in held:
            receive(*arguments)
        await until(lambda: len(far_end.data) == sent)
        assert near.writable.is_set()
        assert link.writable


async def test_what_the_broker_lost_breaks_the_link(connector: RmqConnector) -> None:
    async with pair(connector) as (link, near, far, far_end, _):
        assert isinstance(far, AmqpLink)
        link.send(b"first")
        await until(lambda: far_end.data == b"first")
        far.message_received(DATA, 7, memoryview(b"third"))
        await until(lambda: far_end.broken.is_set() and near.broken.is_set())
        assert isinstance(far_end.error, LinkError)
        assert "lost" in str(far_end.error)
        assert near.error is None
        assert far_end.data == b"first"


async def test_a_receiver_that_fails_breaks_its_link_alone(connector: RmqConnector) -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    async with (
        pair(connector) as (link, near, _, far_end, _listener),
        SimpleServer(RmqConnector(URL, connector.address + "-other"), str) as server,
    ):
        async with SimpleClient(server.connector) as client:
            far_end.data_received = lambda data: 1 / 0
            link.send(b"it")
            await until(lambda: far_end.broken.is_set() and near.broken.is_set())
            assert isinstance(far_end.error, ZeroDivisionError)
            assert await client.request(1) == "1"
            assert len(failures) == 1


async def test_garbage_is_ignored(connector: RmqConnector) -> None:
    introduction = Introduction("nowhere", "x", "", ProcessId.own())
    request = HEADER.pack(CONNECT, TO_SERVER, bytes(16), 0)
    async with pair(connector) as (link, _, far, far_end, listener):
        connection = listener._connection
        bodies = [b"", b"garbage", secrets.token_bytes(64), request]
        bodies += [
            request + b"[" * 3000,
            request + b'{"a": 1}',
            request + b'[2, "of the future"]',
            request + b'[1, "", "", "", "1.1.1", ""]',
            request + bytes(9000),
        ]
        bodies += [request + b'[1, "i", "", "", "1.x.1", ""]', HEADER.pack(99, 1, bytes(16), 0)]
        keys = (connection.identity.inbox, f"communica_like.address.{connector.address}", listener._ident)
        for key in keys:
            publisher = connection.publisher(key, mandatory=False)
            for body in bodies:
                publisher.publish(b"", body)
        # One that is a client, and is gone at once.
        connection.publisher(keys[1], mandatory=True).publish(request, introduction.encode())
        link.send(b"after all that")
        await until(lambda: far_end.data == b"after all that")
        far.send(b"x")
        assert await connector.connect(Recorder())


async def test_no_server_is_there(connector: RmqConnector) -> None:
    with pytest.raises(LinkRefused, match="no server at amqp://guest@"):
        await connector.connect(Recorder())
    assert connections() == 0


async def test_new_clients_spread_and_come_back_to_their_server(connector: RmqConnector) -> None:
    async with contextlib.AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(SimpleServer(connector, lambda data, name=name: name))
            for name in ("one", "two", "three")
        ]
        faulty = [FaultyConnector(connector, cut_after=(10**9, 10**9)) for _ in range(9)]
        clients = [await stack.enter_async_context(SimpleClient(each)) for each in faulty]
        assert [len(server.clients) for server in servers] == [3, 3, 3]
        names = [await client.request("who?") for client in clients]
        for _ in range(3):
            for each in faulty:
                each.cut()
            assert [await client.request("who?") for client in clients] == names
        assert [len(server.clients) for server in servers] == [3, 3, 3]
        # A server that goes leaves its clients to the others.
        gone = names[0]
        await servers[["one", "two", "three"].index(gone)].close()
        after = [await asyncio.wait_for(client.request("who?"), PATIENCE) for client in clients]
        assert gone not in after
        kept = [(name, new) for name, new in zip(names, after, strict=True) if name != gone]
        assert all(name == new for name, new in kept)


async def test_a_server_that_closed_is_not_waited_for(connector: RmqConnector) -> None:
    served = Served()
    listener = await connector.listen(served.accept)
    link = await connector.connect(Recorder())
    assert isinstance(link, AmqpLink)
    other = await connector.listen(Served().accept)
    await listener.close()
    for end in (link, *served.links):
        end.abort()
    with pytest.raises(LinkError, match="for now"):
        await connector.connect_again(Recorder(), link)
    assert link.away_since is not None
    link.away_since -= 60
    with pytest.raises(LinkRefused, match="left the broker"):
        await connector.connect_again(Recorder(), link)
    link.process = ProcessId(2**22 + 1, 1, ProcessId.own().namespace)
    link.away_since = None
    with pytest.raises(LinkRefused, match="has ended"):
        await connector.connect_again(Recorder(), link)
    await other.close()
    await until(lambda: not connections())


async def test_a_listener_is_declared_again_until_it_succeeds(
    connector: RmqConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 0
    declare = AmqpListener._declare

    async def fail_twice(listener: AmqpListener, connection: Connection) -> None:
        nonlocal failures
        if failures < 2:
            failures += 1
            raise LinkError("the test wants it")
        await declare(listener, connection)

    async with SimpleServer(connector, str), SimpleClient(connector) as client:
        assert await client.request(1) == "1"
        monkeypatch.setattr(AmqpListener, "_declare", fail_twice)
        (only,) = amqp_connection._connections[asyncio.get_running_loop()].values()
        only.transport.abort()
        assert await client.request(2, timeout=PATIENCE) == "2"
        assert failures == 2
    assert not connections()


async def test_close_when_its_cancellation_became_an_error(
    connector: RmqConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As aiormq may turn one into another."""
    begun = asyncio.Event()

    async def declare(listener: AmqpListener, connection: Connection) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise LinkError("the broker does not answer") from None

    listener = await connector.listen(Served().accept)
    assert isinstance(listener, AmqpListener)
    monkeypatch.setattr(AmqpListener, "_declare", declare)
    listener.connection_lost("the test wants it")
    await asyncio.wait_for(begun.wait(), PATIENCE)
    await asyncio.wait_for(listener.close(), PATIENCE)
    assert not connections()


async def test_an_exchange_of_ones_own(connector: RmqConnector) -> None:
    name = f"{connector.address}-exchange"
    own = RmqConnector(URL, connector.address, exchange_name=name)
    async with SimpleServer(own, str) as server:
        assert server.address is not None
        async with SimpleClient(RmqConnector.load_state(server.address)) as client:
            assert await client.request(7) == "7"
        with pytest.raises(LinkRefused):
            await connector.connect(Recorder())  # by the default one


ADDRESSES = ["a b/c#d@e,f+g:h", "заказы", "50 %?*=&;\u00a0", "\u0085", "x" * 192, "é" * 96]


@pytest.mark.parametrize("text", ADDRESSES)
async def test_any_address_works(text: str) -> None:
    needs_broker()
    connector = RmqConnector(URL, secrets.token_hex(4) + text)
    async with SimpleServer(connector, str), SimpleClient(connector) as client:
        assert await client.request(1, timeout=PATIENCE) == "1"


class Version:
    """Has the broker say that it is of another version."""

    def __init__(self, version: object, monkeypatch: pytest.MonkeyPatch) -> None:
        self._version = version
        self._connect = Connection._connect
        monkeypatch.setattr(Connection, "_connect", lambda *call: self.connect(*call))

    async def connect(self, connection: Connection, url: BrokerUrl) -> None:
        await self._connect(connection, url)
        connection._aiormq.server_properties["version"] = self._version


@pytest.mark.parametrize(
    ("version", "durable"),
    [("4.3.0", True), ("5.0.0-rc.1", True), ("4.2.9", False), ("3.10.8", False), ("?", False)],
)
async def test_a_broker_that_takes_no_transient_queue_of_many(
    connector: RmqConnector, monkeypatch: pytest.MonkeyPatch, version: str, durable: bool
) -> None:
    """RabbitMQ 4.3 does not: it closes the connection of a client that declares one."""
    Version(version, monkeypatch)
    declared: list[tuple[str, bool]] = []
    declare = aiormq.Channel.queue_declare

    async def note(channel: Any, queue: str, **options: Any) -> Any:
        if not options.get("exclusive"):
            declared.append((queue, options["durable"]))
        return await declare(channel, queue, **options)

    monkeypatch.setattr(aiormq.Channel, "queue_declare", note)
    async with SimpleServer(connector, str), SimpleServer(connector, str), SimpleClient(connector) as client:
        assert await client.request(7) == "7"
    assert declared == [(address_key(connector.address), durable)] * 2
    with pytest.raises(LinkRefused):
        await connector.connect(Recorder())


async def test_a_server_that_is_killed_before_it_serves_leaves_nothing(
    connector: RmqConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp_listener, "_QUEUE_EXPIRES", 200)
    key = address_key(connector.address)
    consume = aiormq.Channel.basic_consume

    async def die(channel: Any, queue: str, *args: Any, **options: Any) -> Any:
        if queue == key:
            (only,) = amqp_connection._connections[asyncio.get_running_loop()].values()
            only.transport.abort()
        return await consume(channel, queue, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(aiormq.Channel, "basic_consume", die)
        with pytest.raises(LinkError):
            await connector.listen(Served().accept)
    connection = await aiormq.connect(URL)
    channel = await connection.channel()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(aiormq.exceptions.PublishError):
            while await channel.basic_publish(b"", exchange="amq.direct", routing_key=key, mandatory=True):
                await asyncio.sleep(0.05)
    await connection.close()


async def test_cancelled_callers_leave_nothing(connector: RmqConnector) -> None:
    before = asyncio.all_tasks()
    for turns in (0, 1, 2, 5, 10, 20, 40, 60, 80):
        for call in (connector.connect(Recorder()), connector.listen(Served().accept)):
            calling = asyncio.ensure_future(call)
            for _ in range(turns):
                await asyncio.sleep(0)
            calling.cancel()
            with contextlib.suppress(asyncio.CancelledError, LinkRefused):
                done = await calling
                if isinstance(done, Listener):
                    await done.close()
            await until(lambda: not connections())
    await until(lambda: asyncio.all_tasks() == before)


async def test_a_cancelled_caller_closes_no_channel(connector: RmqConnector) -> None:
    async with SimpleServer(connector, str), SimpleClient(connector) as client:
        connection = next(iter(amqp_connection._connections[asyncio.get_running_loop()].values()))
        for turns in range(30):
            for call in (connector.connect(Recorder()), client.request(turns)):
                calling = asyncio.ensure_future(call)
                for _ in range(turns):
                    await asyncio.sleep(0)
                calling.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    made = await calling
                    if isinstance(made, Link):
                        made.abort()
        assert await client.request(7) == "7"
        assert not connection.end_reason
        assert next(iter(amqp_connection._connections[asyncio.get_running_loop()].values())) is connection


async def test_a_cancelled_drop_leaves_nothing_open(connector: RmqConnector) -> None:
    before = asyncio.all_tasks()
    connection = await amqp_connection.acquire(connector._key())
    dropping = asyncio.ensure_future(connection.drop())
    await asyncio.sleep(0)
    dropping.cancel()
    await asyncio.wait([dropping])
    assert dropping.cancelled()
    assert asyncio.all_tasks() == before
    assert connection.closed.done()


async def test_a_channel_that_is_being_closed_is_not_closed_again(
    connector: RmqConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker would close the connection."""
    async with SimpleServer(connector, str):
        (only,) = amqp_connection._connections[asyncio.get_running_loop()].values()
        channel = await only.new_channel()
        closing = asyncio.ensure_future(only.close_channel(channel))
        receive = AmqpProtocol.data_received

        def cancel(protocol: AmqpProtocol, data: bytes) -> None:
            closing.cancel()
            receive(protocol, data)

        with monkeypatch.context() as patch:
            patch.setattr(AmqpProtocol, "data_received", cancel)
            await asyncio.wait([closing])
        assert closing.cancelled()
        await (await only.new_channel()).close()
        assert not only.end_reason


async def test_200_connects_leak_nothing(connector: RmqConnector) -> None:
    async with SimpleServer(connector, str) as server:
        connection = next(iter(amqp_connection._connections[asyncio.get_running_loop()].values()))
        channels = len(connection._aiormq.channels)
        descriptors = len(os.listdir("/proc/self/fd"))
        for number in range(200):
            async with SimpleClient(connector) as client:
                assert await client.request(number) == str(number)
        await until(lambda: not server.clients and not connection.links)
        assert len(connection._aiormq.channels) == channels
        assert len(os.listdir("/proc/self/fd")) <= descriptors


async def test_without_aiormq(connector: RmqConnector, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(features, "import_module", missing)
    for call in (connector.connect(Recorder()), connector.listen(Served().accept)):
        with pytest.raises(FeatureNotAvailable, match=r"pip install 'aiormq.*\[rmq\]"):
            await call
    assert connections() == 0


FORKING = """
import asyncio, os, sys, time
from communica_like import RmqConnector, SimpleServer

async def main():
    async with SimpleServer(RmqConnector(sys.argv[1], sys.argv[2]), str):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        print(os.getpid(), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_forked_child_keeps_no_connection_alive(connector: RmqConnector) -> None:
    async with AsyncProgram("-c", FORKING, URL, connector.address) as server:
        await server.line()
        link = await connector.connect(Recorder())
        link.abort()
        await server.kill()
        with pytest.raises(LinkRefused):
            async with asyncio.timeout(PATIENCE):
                while True:
                    (await connector.connect(Recorder())).abort()
    await until(lambda: not connections())


async def test_when_a_server_process_is_killed_its_clients_go_to_another(connector: RmqConnector) -> None:
    limits = Limits(heartbeat=30.0, resume_window=30.0)  # it is noticed without
    async with Stage(meeting_of(connector), limits) as stage:
        stage.run_server()
        async with asyncio.timeout(PATIENCE):
            while len(stage.entries("serving")) < 2:
                await asyncio.sleep(0.01)
        first, second = (pid for pid, _ in stage.entries("serving"))
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(stage.client()) for _ in range(4)]
            pids = [await client.request("pid", None) for client in clients]
            assert sorted(pids) == sorted([first, first, second, second])
            waiting = [asyncio.ensure_future(client.request("wait", n)) for n, client in enumerate(clients)]
            for number in range(4):
                await stage.reports("started", number, "all of them are at it")
            os.kill(first, signal.SIGKILL)
            orphans = [task for task, pid in zip(waiting, pids, strict=True) if pid == first]
            for error in await asyncio.wait_for(asyncio.gather(*orphans, return_exceptions=True), PATIENCE):
                assert isinstance(error, ConnectionLost)
            for client in clients:
                assert await asyncio.wait_for(client.request("pid", None), PATIENCE) == second
            assert sum(task.done() for task in waiting) == 2
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
