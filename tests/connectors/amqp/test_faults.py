"""RmqConnector at a broker that refuses, blocks, closes connections, or cannot be reached."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from communica_like import Limits, RmqConnector, SimpleClient, SimpleServer
from communica_like.connectors.amqp import connection as amqp_connection
from communica_like.exceptions import ConnectTimeout, LinkError
from communica_like.testing import CuttingProxy
from tests.connectors.amqp.traffic import disturbed
from tests.connectors.recorder import Recorder
from tests.rmq_broker import PrivateBroker, needs_private_broker

pytestmark = pytest.mark.chaos  # a private broker takes a while to start

SECRET = "s3cr3t"
CERTIFICATES = Path(__file__).parents[2] / "testing" / "conformance" / "certificates"
LIMITS = Limits(heartbeat=1.0, resume_window=30.0)


@pytest.fixture(scope="module")
def broker() -> Iterator[PrivateBroker]:
    needs_private_broker()
    with PrivateBroker() as started:
        yield started


def connection_of_this_loop() -> amqp_connection.Connection:
    (only,) = amqp_connection._connections[asyncio.get_running_loop()].values()
    return only


async def refusal(connector: RmqConnector, caplog: pytest.LogCaptureFixture) -> str:
    """Return why neither side can use the connector; see that no secret is told."""
    caplog.set_level(logging.DEBUG)
    before = asyncio.all_tasks()
    texts = []
    for call in (connector.connect(Recorder()), connector.listen(lambda link: Recorder())):
        with pytest.raises(LinkError) as caught:
            await asyncio.wait_for(call, 40)
        error: BaseException | None = caught.value
        texts.append(str(error))
        while error is not None:
            assert SECRET not in f"{error} {error!r}"
            error = error.__cause__ or error.__context__
    with pytest.raises(ConnectTimeout) as timeout:
        await SimpleClient(connector).init(0.3)
    assert SECRET not in str(timeout.value) + caplog.text
    assert asyncio.all_tasks() == before
    return " ".join(texts)


async def test_refused_credentials(broker: PrivateBroker, caplog: pytest.LogCaptureFixture) -> None:
    url = f"amqp://guest:{SECRET}@127.0.0.1:{broker.port}/"
    assert "ACCESS_REFUSED" in await refusal(RmqConnector(url, "jobs"), caplog)


async def test_a_missing_vhost(broker: PrivateBroker, caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.to_thread(broker.ctl, "add_user", "someone", SECRET)
    url = f"amqp://someone:{SECRET}@127.0.0.1:{broker.port}/nowhere"
    assert "vhost nowhere not found" in await refusal(RmqConnector(url, "jobs"), caplog)
    url = f"amqp://someone:{SECRET}@127.0.0.1:{broker.port}/"
    assert "access to vhost '/' refused" in await refusal(RmqConnector(url, "jobs"), caplog)


async def test_no_broker_listens(unused_tcp_port: int, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("aiormq")
    url = f"amqp://u:{SECRET}@127.0.0.1:{unused_tcp_port}/"
    text = await refusal(RmqConnector(url, "jobs"), caplog)
    assert f"127.0.0.1:{unused_tcp_port}" in text
    assert "refused" in text.lower() or "Connect call failed" in text


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"AMQP\x03\x01\x00\x00", b"", b"\x01"]
)
async def test_what_is_no_broker(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("aiormq")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        text = await refusal(RmqConnector(f"amqp://u:{SECRET}@127.0.0.1:{port}/", "jobs"), caplog)
        assert f"127.0.0.1:{port}" in text


async def test_no_tls_there(broker: PrivateBroker, caplog: pytest.LogCaptureFixture) -> None:
    context = ssl.create_default_context()
    url = f"amqps://guest:{SECRET}@127.0.0.1:{broker.port}/"
    assert "SSL" in await refusal(RmqConnector(url, "jobs", ssl=context), caplog)
    assert "No such file" in await refusal(RmqConnector(f"{url}?cafile=/no/such.pem", "jobs"), caplog)


async def test_a_blocked_broker(broker: PrivateBroker) -> None:
    connector = RmqConnector(broker.url, "blocked")
    async with SimpleServer(connector, str, limits=LIMITS), SimpleClient(connector, limits=LIMITS) as client:
        assert await client.request(1) == "1"
        await asyncio.to_thread(broker.ctl, "set_vm_memory_high_watermark", "0")
        try:
            asking = [asyncio.ensure_future(client.request(number)) for number in range(20)]
            async with asyncio.timeout(40):
                while not connection_of_this_loop().blocked_reason:
                    await asyncio.sleep(0.01)
            with pytest.raises(LinkError, match="takes no messages: low on memory"):
                await connector.connect(Recorder())
            assert not any(task.done() for task in asking)
        finally:
            await asyncio.to_thread(broker.ctl, "set_vm_memory_high_watermark", "0.4")
        answers = await asyncio.wait_for(asyncio.gather(*asking), 20)
        assert answers == [str(number) for number in range(20)]


async def test_connections_that_the_broker_closes(broker: PrivateBroker) -> None:
    await disturbed(broker, [lambda: broker.ctl("close_all_connections", "the test wants it")] * 2, 2000)


@contextlib.asynccontextmanager
async def tls_tunnel(port: int) -> AsyncIterator[int]:
    """Serve TLS, as localhost, before a broker without; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "certificate.pem", CERTIFICATES / "key.pem")
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, back), copy(there, writer))
        for end in (back, writer):
            with contextlib.suppress(OSError):
                await end.wait_closed()

    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(asyncio.gather(*tasks), 40)


async def test_tls(broker: PrivateBroker) -> None:
    async with tls_tunnel(broker.port) as port:
        context = ssl.create_default_context(cafile=CERTIFICATES / "certificate.pem")
        url = f"amqps://guest:guest@localhost:{port}/"
        by_context = RmqConnector(url, "tls", ssl=context)
        by_option = RmqConnector(f"{url}?cafile={CERTIFICATES / 'certificate.pem'}", "tls")
        async with SimpleServer(by_context, len), SimpleClient(by_option) as client:
            assert await client.request("x" * 1_000_000) == 1_000_000
        with pytest.raises(LinkError, match="CERTIFICATE_VERIFY_FAILED"):
            await RmqConnector(url, "tls").connect(Recorder())


async def test_connections_that_are_cut(broker: PrivateBroker) -> None:
    handled: list[int] = []
    async with CuttingProxy(("127.0.0.1", broker.port), seed=4, cut_after=(3_000, 12_000)) as proxy:
        proxy.max_cuts = 12
        assert isinstance(proxy.address, tuple)
        through = RmqConnector(f"amqp://guest:guest@127.0.0.1:{proxy.address[1]}/", "cut")
        async with SimpleServer(RmqConnector(broker.url, "cut"), handled.append, limits=LIMITS) as server:
            async with SimpleClient(through, limits=LIMITS) as client:
                for start in range(0, 3000, 100):
                    for number in range(start, start + 50):
                        await client.throw(number)
                    asking = [client.request(number) for number in range(start + 50, start + 100)]
                    await asyncio.wait_for(asyncio.gather(*asking), 20)
        assert proxy.cuts == 12
        assert sorted(handled) == list(range(3000))
        assert not server.clients


async def test_a_broker_that_is_silent_is_given_up(
    broker: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp_connection, "_CHECK_INTERVAL", 0.05)
    connector = RmqConnector(broker.url, "silent")
    async with SimpleServer(connector, str, limits=LIMITS), SimpleClient(connector, limits=LIMITS) as client:
        first = connection_of_this_loop()
        checks: list[str] = []
        check = first._check

        def counted() -> None:
            checks.append(first.end_reason)
            check()

        monkeypatch.setattr(first, "_check", counted)
        async with asyncio.timeout(40):
            while len(checks) < 8:
                await asyncio.sleep(0.01)
        assert not any(checks), "it answers"
        first.transport.pause_reading()
        async with asyncio.timeout(40):
            while not first.end_reason:
                await asyncio.sleep(0.01)
        assert await asyncio.wait_for(client.request(7), 40) == "7"
        assert connection_of_this_loop() is not first


async def test_a_deleted_queue(broker: PrivateBroker) -> None:
    connector = RmqConnector(broker.url, "deleted")
    async with SimpleServer(connector, str, limits=LIMITS), SimpleClient(connector, limits=LIMITS) as client:
        await asyncio.to_thread(broker.ctl, "delete_queue", "communica_like.address.deleted")
        async with asyncio.timeout(40):
            async with SimpleClient(connector, limits=LIMITS) as late:
                assert await late.request(2) == "2"
        assert await client.request(1) == "1"


async def test_nothing_is_left(broker: PrivateBroker) -> None:
    async with SimpleServer(RmqConnector(broker.url, "last", exchange_name="own"), str):
        found = await asyncio.to_thread(broker.ours)
        assert len(found) == 4
        assert {"own", "communica_like.address.last"} < set(found)
    assert await asyncio.to_thread(broker.ours) == []
