"""A shared inbox while its broker is restarted, killed, and made to close connections."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from communica_like import (
    MessageTooBig,
    RequestTimeout,
    RmqConnector,
    RmqInboxConnector,
    RouteClient,
    SimpleClient,
    SimpleServer,
)
from communica_like.exceptions import ConnectTimeout, LinkError
from tests.connectors.amqp.inbox.crowd import Crowd
from tests.connectors.amqp.inbox.stage import until
from tests.rmq_broker import PrivateBroker, needs_private_broker

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.fixture
def broker() -> Iterator[PrivateBroker]:
    needs_private_broker()
    with PrivateBroker() as started:
        yield started


async def test_every_message_is_accounted_for(broker: PrivateBroker, tmp_path: Path) -> None:
    def restart() -> None:
        broker.stop()
        broker.start()

    def kill() -> None:
        broker.kill()
        broker.start()

    def close_all() -> None:
        broker.ctl("close_all_connections", "the test wants it")

    def left() -> list[list[str]]:
        lines = broker.ctl("list_queues", "name", "messages", "--no-table-headers").split("\n")
        return sorted(
            line.split() for line in lines if line.startswith(("communica_like.d", "communica_like.s"))
        )

    nothing = [["communica_like.dead.chaos", "0"], ["communica_like.shared.chaos", "0"]]
    connector = RmqInboxConnector(broker.url, "chaos")
    disturbances = [close_all, restart, kill, restart, close_all, restart, close_all]
    each = 1430  # requests, and as many throws, for each of them
    async with Crowd(connector, 2, tmp_path / "journal") as crowd, RouteClient(connector) as client:
        for turn, disturb in enumerate(disturbances):
            await disturbed(client, range(turn * each, (turn + 1) * each), disturb)
        numbers = set(range(len(disturbances) * each))
        async with asyncio.timeout(30):
            while crowd.handled("throw").keys() != numbers:
                await asyncio.sleep(0.05)
            while await asyncio.to_thread(left) != nothing:
                await asyncio.sleep(0.05)  # copies of messages that were sent again
        for kind in ("request", "throw"):
            handled = crowd.handled(kind)
            assert handled.keys() == numbers, "at least once, and nothing that was not sent"
            assert handled.total() < 1.5 * len(numbers), "most are handled once"
    assert await asyncio.to_thread(left) == nothing


async def disturbed(client: RouteClient, all_numbers: range, disturb: Callable[[], object]) -> None:
    """Make a request and a throw of each number, with a disturbance in the middle."""
    numbers = iter(all_numbers)
    begun = itertools.count(1)
    halfway = asyncio.Event()

    async def ask() -> None:
        for number in numbers:
            await client.throw("throw", number, timeout=60)
            await client.request("request", number, timeout=60)
            if next(begun) == len(all_numbers) // 4:
                halfway.set()

    working = asyncio.gather(*(ask() for _ in range(32)))
    await halfway.wait()
    assert not working.done(), "it is disturbed while there is work"
    await asyncio.to_thread(disturb)
    await working


async def test_a_throw_waits_for_the_broker_as_long_as_it_may(broker: PrivateBroker) -> None:
    thrown: list[str] = []
    connector = RmqInboxConnector(broker.url, "patience")
    async with SimpleClient(connector) as client:
        await asyncio.to_thread(broker.stop)
        with pytest.raises(RequestTimeout, match=r"not sent: .* no connection to the broker"):
            await client.throw("in vain", timeout=0.2)
        waiting = asyncio.ensure_future(client.throw("in the end", timeout=60))
        await asyncio.to_thread(broker.start)
        await waiting
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        async with SimpleServer(connector, thrown.append):
            await until(lambda: thrown)
    assert thrown == ["in the end"]


async def test_a_broker_that_takes_no_messages(broker: PrivateBroker) -> None:
    connector = RmqInboxConnector(broker.url, "blocked")
    async with SimpleServer(connector, str), SimpleClient(connector) as client:
        assert await client.request(1) == "1"
        broker.ctl("set_vm_memory_high_watermark", "0")
        for call in (client.throw, client.request):
            with pytest.raises(RequestTimeout, match="takes no messages: low on memory"):
                await call(2, timeout=0.5)
        with pytest.raises(ConnectTimeout, match="takes no messages: low on memory"):
            await SimpleClient(connector).init(0.5)
        for late in (SimpleServer(connector, str), SimpleServer(RmqConnector(broker.url, "blocked"), str)):
            with pytest.raises(LinkError, match="takes no messages: low on memory"):
                await asyncio.wait_for(late.init(), 2)
        waiting = asyncio.ensure_future(client.request(3, timeout=60))
        await asyncio.to_thread(broker.ctl, "set_vm_memory_high_watermark", "0.4")
        assert await waiting == "3"


async def test_a_queue_that_is_full(broker: PrivateBroker) -> None:
    limit = '{"max-length": 1, "overflow": "reject-publish"}'
    broker.ctl("set_policy", "full", "communica_like.shared.full", limit, "--apply-to", "queues")
    connector = RmqInboxConnector(broker.url, "full")
    async with SimpleClient(connector) as client:
        with pytest.raises(RequestTimeout, match="refuses what is sent"):
            while True:
                await client.throw(1, timeout=0.5)
        async with SimpleServer(connector, str):
            assert await client.request(2, timeout=20) == "2"


@pytest.fixture
def small(broker: PrivateBroker) -> PrivateBroker:
    """A broker that takes messages of up to a million bytes."""
    broker.ctl("eval", "application:set_env(rabbit, max_message_size, 1000000).")
    return broker


async def test_what_is_too_big_for_the_broker(small: PrivateBroker) -> None:
    connector = RmqInboxConnector(small.url, "big")
    async with SimpleServer(connector, len), SimpleClient(connector) as client:
        calls = (client.request("x" * 2_000_000), client.throw("x" * 1_000_001))
        too_big = asyncio.gather(*calls, return_exceptions=True)
        async with asyncio.timeout(30):
            assert await client.request("x" * 900_000) == 900_000
            assert [repr(outcome) for outcome in await too_big] == [
                "MessageTooBig('2000002 bytes; the broker takes at most 1000000')",
                "MessageTooBig('1000003 bytes; the broker takes at most 1000000')",
            ]
            assert await client.request("x") == 1


async def test_answers_that_are_too_big_for_the_broker(small: PrivateBroker) -> None:
    run: list[int] = []
    all_there = asyncio.Event()

    async def handler(size: int) -> str:
        run.append(size)
        if len(run) == 4:
            all_there.set()
        await all_there.wait()
        return "x" * size

    connector = RmqInboxConnector(small.url, "answers")
    async with SimpleServer(connector, handler), SimpleClient(connector) as client, asyncio.timeout(30):
        answers = await asyncio.gather(*(client.request(600_000) for _ in range(4)))
        assert [len(answer) for answer in answers] == [600_000] * 4
        assert len(run) == 4, "they do not travel together"
        with pytest.raises(MessageTooBig, match="1000002 bytes"):
            await client.request(1_000_000)
        assert run.count(1_000_000) == 2
        with pytest.raises(MessageTooBig):
            await client.request(1_000_000)
        assert run.count(1_000_000) == 3, "now it is known"
        assert await client.request(1) == "x"


async def test_refused_credentials(broker: PrivateBroker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = RmqInboxConnector(broker.url.replace("guest:guest", "guest:s3cr3t"), "refused")
    with pytest.raises(LinkError, match="ACCESS_REFUSED") as refused:
        await SimpleServer(wrong, str).init()
    with pytest.raises(ConnectTimeout, match="ACCESS_REFUSED") as timeout:
        await SimpleClient(wrong).init(1.0)
    assert "s3cr3t" not in f"{refused.value!r} {timeout.value!r} {caplog.text}"
