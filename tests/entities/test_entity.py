"""Beginning, running, end: of clients and servers alike."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

from communica_like import Closed, FeatureNotAvailable, MemoryConnector, SimpleClient, SimpleServer
from communica_like.entities.entity import Entity
from tests.entities.stage import PATIENCE, QUICK, echo, eventually, in_virtual_time, logged, simple_pair

Make = Callable[[MemoryConnector], Entity]
KINDS: list[Make] = [
    lambda connector: SimpleServer(connector, echo),
    lambda connector: SimpleClient(connector, echo, backoff=QUICK),
]
each_kind = pytest.mark.parametrize("make", KINDS, ids=["server", "client"])


class Stage:
    """An entity and the other side that it needs."""

    def __init__(self, make: Make) -> None:
        self.connector = MemoryConnector()
        self.entity = make(self.connector)
        other = KINDS[0] if isinstance(self.entity, SimpleClient) else KINDS[1]
        self.other = other(self.connector)

    async def request(self, data: Any = 1, **options: Any) -> Any:
        entity: Any = self.entity
        return await entity.request(data, **options)

    async def throw(self, data: Any = 1) -> None:
        entity: Any = self.entity
        await entity.throw(data)

    async def __aenter__(self) -> Stage:
        if isinstance(self.other, SimpleServer):
            await self.other.init()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.entity.close(0)
        await self.other.close(0)


@each_kind
async def test_states(make: Make) -> None:
    async with Stage(make) as stage:
        entity = stage.entity
        assert entity.state == "new"
        assert stage.connector.dump_state() in repr(entity)
        assert await entity.init() is entity
        assert entity.state == "running"
        with pytest.raises(RuntimeError, match="already started"):
            await entity.init()
        closing = asyncio.create_task(entity.close())
        await asyncio.sleep(0)
        assert entity.state == "closing"
        with pytest.raises(RuntimeError, match="still closing"):
            await entity.init()
        await closing
        assert entity.state == "closed"


@each_kind
async def test_calls_outside_of_its_life_raise_closed(make: Make) -> None:
    async with Stage(make) as stage:
        for call in (stage.request, stage.throw):
            with pytest.raises(Closed, match="not started"):
                await asyncio.wait_for(call(), PATIENCE)
        await stage.entity.init()
        await stage.entity.close()
        for _ in range(3):
            for call in (stage.request, stage.throw):
                with pytest.raises(Closed, match="closed") as caught:
                    await asyncio.wait_for(call(), PATIENCE)
                assert caught.traceback[-1].lineno
                assert len(caught.traceback) < 12  # it does not grow with each call


@each_kind
async def test_calls_that_wait_raise_closed(make: Make) -> None:
    async with Stage(make) as stage:
        if isinstance(stage.entity, SimpleClient):
            await stage.other.close()
            await stage.entity.init(wait=False)
        else:
            await stage.entity.init()
        waiting = [asyncio.create_task(stage.request(n)) for n in range(3)]
        await asyncio.sleep(0)
        await asyncio.wait_for(stage.entity.close(), PATIENCE)
        for each in waiting:
            with pytest.raises(Closed):
                await asyncio.wait_for(each, PATIENCE)


async def test_unanswered_requests_raise_closed() -> None:
    async def never(data: Any) -> None:
        await asyncio.sleep(30)

    for closer in (0, 1):
        async with simple_pair(never, never) as pair:
            entities: tuple[Any, Any] = pair
            asking = asyncio.create_task(entities[closer].request(1))
            await eventually(functools.partial(busy, *pair))
            await entities[closer].close(0)
            with pytest.raises(Closed):
                await asyncio.wait_for(asking, PATIENCE)


@each_kind
async def test_close_at_any_time_and_any_number_of_times(make: Make) -> None:
    async with Stage(make) as stage:
        entity = stage.entity
        await entity.close()
        assert entity.state == "new"
        for _ in range(3):
            await entity.init()
            await asyncio.gather(*[entity.close() for _ in range(5)])
            await entity.close()
            assert entity.state == "closed"


@each_kind
async def test_it_may_be_started_again(make: Make) -> None:
    async with Stage(make) as stage:
        await stage.entity.init()
        await stage.entity.close()
        async with stage.entity:
            if isinstance(stage.entity, SimpleServer):
                await stage.other.init()
            assert await asyncio.wait_for(stage.request(7), PATIENCE) == 7


@each_kind
async def test_no_tasks_are_left(make: Make) -> None:
    before = asyncio.all_tasks()
    async with Stage(make) as stage:
        async with stage.entity:
            if isinstance(stage.entity, SimpleServer):
                await stage.other.init()
            await stage.request()
    await eventually(lambda: asyncio.all_tasks() == before)


def busy(*entities: Entity) -> bool:
    """Whether any of them has a handler that is suspended."""
    return any(each._pool is not None and not each._pool.idle for each in entities)


class Stubborn:
    """A handler that does not end when it is cancelled, until it is let go."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, data: Any) -> None:
        self.started.set()
        if data == "quick":
            return
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.cancelled.set()


@pytest.mark.parametrize("stage", ["draining", "cancelling"])
@in_virtual_time
async def test_closing_cut_short_still_closes(stage: str, caplog: pytest.LogCaptureFixture) -> None:
    handler = Stubborn()
    connector = MemoryConnector()
    server = await SimpleServer(connector, handler).init()
    async with SimpleClient(connector, backoff=QUICK) as client:
        await client.throw(1)
        await asyncio.wait_for(handler.started.wait(), PATIENCE)
        closing = asyncio.create_task(server.close(30 if stage == "draining" else 0))
        if stage == "cancelling":
            await asyncio.wait_for(handler.cancelled.wait(), PATIENCE)
        else:
            await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert asyncio.get_running_loop().time() - began < 0.9
        assert server.state == "closed"
        assert "does not end though it was cancelled" in logged(caplog) or stage == "cancelling"
        # It is out of the way: another takes the address.
        async with SimpleServer(connector, echo):
            assert await asyncio.wait_for(client.request(5), PATIENCE) == 5
        handler.let_go.set()
        await client.close(0)


async def test_handlers_that_begin_while_others_are_cancelled_leave_no_tasks() -> None:
    before = asyncio.all_tasks()
    handler = Stubborn()
    async with simple_pair(handler) as (server, client):
        await client.throw(1)
        await asyncio.wait_for(handler.started.wait(), PATIENCE)
        closing = asyncio.create_task(server.close(0))
        await asyncio.wait_for(handler.cancelled.wait(), PATIENCE)
        handler.started.clear()
        await client.throw(2)
        await asyncio.wait_for(handler.started.wait(), PATIENCE)
        handler.started.clear()
        await client.throw("quick")
        await asyncio.wait_for(handler.started.wait(), PATIENCE)
        handler.let_go.set()
        await closing
        await client.close(0)
    await eventually(lambda: asyncio.all_tasks() == before)


async def test_close_delivers_throws_and_lets_handlers_end() -> None:
    seen: list[int] = []

    async def handler(data: int) -> None:
        await asyncio.sleep(0.001)
        seen.append(data)

    async with simple_pair(handler, seen.append) as (server, client):
        for number in range(50):
            await client.throw(number)
        await client.close()
        await server.close()
    assert sorted(seen) == list(range(50))


async def test_close_gives_up_in_time(caplog: pytest.LogCaptureFixture) -> None:
    async def never(data: Any) -> None:
        await asyncio.sleep(30)

    async with simple_pair(never) as (server, client):
        await client.throw(1)
        await eventually(lambda: server._pool is not None and not server._pool.idle)
        await asyncio.wait_for(server.close(0.01), PATIENCE)
        await client.close(0)
    assert "not all was delivered and handled within 0.0 s" in logged(caplog)


# -- run


@each_kind
@pytest.mark.parametrize("how", ["stop", "wait_stop", "cancel"])
async def test_run_until_it_is_told_to_end(make: Make, how: str) -> None:
    async with Stage(make) as stage:
        entity = stage.entity
        entity.stop()
        await entity.wait_stop()
        for _ in range(2):
            running = asyncio.create_task(entity.run())
            await eventually(lambda: entity.state == "running")
            with pytest.raises(RuntimeError, match="already running"):
                await entity.run()
            if how == "stop":
                entity.stop()
                await asyncio.wait_for(running, PATIENCE)
            elif how == "wait_stop":
                await asyncio.wait_for(asyncio.gather(*[entity.wait_stop() for _ in range(3)]), PATIENCE)
                assert entity.state == "closed"
                await asyncio.wait_for(running, PATIENCE)
            else:
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running
            assert entity.state == "closed"


async def test_run_stopped_before_there_is_a_server() -> None:
    client = SimpleClient(MemoryConnector(), backoff=QUICK)
    running = asyncio.create_task(client.run())
    await eventually(lambda: client.state == "running")
    client.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert client.state == "closed"


async def test_run_raises_what_init_raises() -> None:
    connector = MemoryConnector()
    async with SimpleServer(connector):
        with pytest.raises(OSError, match="already served"):
            await SimpleServer(connector).run()


async def test_an_entity_whose_backend_cannot_be_made_stays_new() -> None:
    class Broken(MemoryConnector):
        def inbox(self) -> None:
            raise FeatureNotAvailable("no client library")

    for entity in (SimpleServer(Broken()), SimpleClient(Broken())):
        with pytest.raises(FeatureNotAvailable):
            await entity.init()
        assert entity.state == "new"
        await entity.close()
