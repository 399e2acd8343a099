"""How long handlers run, in which context and task, and what ends them early."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import time
from typing import Any

import pytest

from communica_like import Context, RequestTimeout, RouteTable
from tests.entities.stage import eventually, in_virtual_time, logged, route_pair, simple_pair


@pytest.mark.parametrize("when", ["def", "first step", "later step"])
async def test_who_holds_up_the_loop_is_named(when: str, caplog: pytest.LogCaptureFixture) -> None:
    def blocking(data: Any) -> None:
        time.sleep(0.11)

    async def blocking_later(data: Any) -> None:
        if when == "later step":
            await asyncio.sleep(0)
        time.sleep(0.11)
        await asyncio.sleep(0)

    async with simple_pair(blocking if when == "def" else blocking_later) as (_, client):
        await client.request(1)
    name = "blocking" if when == "def" else "blocking_later"
    assert logged(caplog).count("held up the event loop") == 1
    assert re.search(rf"{name} held up the event loop for [1-9]\d\d", logged(caplog))


async def test_who_waits_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with simple_pair(lambda data: asyncio.sleep(0.15)) as (_, client):
        await client.request(1)
    assert "held up" not in logged(caplog)


tint = contextvars.ContextVar("tint", default="none")


async def test_contextvars_do_not_leak() -> None:
    tint.set("main")

    async def handler(data: Any) -> list[str]:
        seen = [tint.get()]
        tint.set(data)
        if data != "quick":
            await asyncio.sleep(0)
        return [*seen, tint.get()]

    def plain(data: Any) -> list[str]:
        seen = [tint.get()]
        tint.set(data)
        return [*seen, tint.get()]

    for each in (handler, plain):
        async with simple_pair(each) as (_, client):
            names = ["quick", "a", "quick", "b"]
            answers = await asyncio.gather(*map(client.request, names))
            assert [own for _, own in answers] == names
            assert len({before for before, _ in answers}) == 1
    assert tint.get() == "main"


async def test_what_a_context_tells() -> None:
    table = RouteTable()
    contexts: list[Context] = []

    @table.handler("r")
    async def handler(data: Any, context: Context) -> None:
        contexts.append(context)

    async with route_pair(table, table) as (server, client):
        await client.request("r", 1, timeout=50)
        await client.request("r", 1)
        await server.request("r", 1)
        first, second, third = contexts
        assert {each.route for each in contexts} == {"r"}
        assert {each.client_id for each in contexts} == {client.client_id}
        assert first.peer.transport == third.peer.transport == "memory"
        assert first.remaining is not None
        assert 40 < first.remaining <= 50
        assert second.remaining is None
        assert second.deadline is None


@in_virtual_time
async def test_nested_requests_inherit_the_time() -> None:
    async def back(data: Any) -> None:
        await asyncio.sleep(30)

    async def handler(data: Any) -> Any:
        try:
            await server.request(1, client_id=client.client_id)
        except RequestTimeout:
            return "in vain"

    async with simple_pair(handler, back) as (server, client):
        began = asyncio.get_running_loop().time()
        with pytest.raises(RequestTimeout):
            await client.request(1, timeout=0.05)
        await eventually(lambda: server._pool is not None and server._pool.idle)
        assert asyncio.get_running_loop().time() - began < 5


async def test_a_cancelled_request_cancels_its_handler(caplog: pytest.LogCaptureFixture) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(data: Any) -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            if data == "raise":
                raise ValueError("while it was cancelled") from None
            raise

    async with simple_pair(handler) as (_, client):
        for data in ("quiet", "raise"):
            started.clear()
            cancelled.clear()
            asking = asyncio.create_task(client.request(data))
            await asyncio.wait_for(started.wait(), 40)
            asking.cancel()
            await asyncio.wait_for(cancelled.wait(), 40)
            with pytest.raises(asyncio.CancelledError):
                await asking
        await eventually(lambda: "was given up" in logged(caplog))
    assert logged(caplog, logging.ERROR).count("\n") == 0


async def test_concurrent_handlers_may_await_one_future() -> None:
    shared: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = 0

    async def handler(data: Any) -> str:
        nonlocal waiting
        waiting += 1
        if waiting == 5:
            asyncio.get_running_loop().call_later(0.01, shared.set_result, "one for all")
        return await shared

    async with simple_pair(handler) as (_, client):
        answers = await asyncio.gather(*[client.request(number) for number in range(5)])
        assert answers == ["one for all"] * 5


async def test_handlers_that_cancel_themselves_harm_nobody_else() -> None:
    async def handler(data: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None
        if data == "cancel":
            task.cancel()
        elif data == "cancel and wait":
            task.cancel()
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                return "caught"
        else:
            await asyncio.sleep(0)
        return data

    names = ["wait", "cancel", "wait", "cancel and wait", "cancel", "cancel", "wait"] * 2
    async with simple_pair(handler) as (_, client):
        expected = ["caught" if name == "cancel and wait" else name for name in names]
        assert await asyncio.gather(*map(client.request, names)) == expected
        assert [await client.request(name) for name in names] == expected


async def test_handlers_that_do_not_suspend_make_no_tasks() -> None:
    made: list[Any] = []
    loop = asyncio.get_running_loop()

    async def handler(data: Any) -> Any:
        return data

    async with simple_pair(handler) as (_, client):
        await client.request(0)  # the host that is parked from now on
        await client.throw(0)

        def factory(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
            made.append(coroutine)
            return asyncio.Task(coroutine, loop=loop, **options)

        loop.set_task_factory(factory)
        try:
            for number in range(10):
                assert await client.request(number) == number
        finally:
            loop.set_task_factory(None)
    assert made == []
