"""Messages of an inbox and their handlers, without a broker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from communica_like import Context, Limits, PeerIdentity, ReqError
from communica_like.abc.inbox import ANSWER, Delivery, Message
from communica_like.entities.handling.handlers import Handler
from communica_like.entities.handling.runner import HandlerSet
from communica_like.entities.handling.tasks import EagerTaskPool
from communica_like.entities.inbox.dispatcher import InboxDispatcher
from communica_like.serializers import JsonSerializer
from communica_like.wire.failure import NO_ROUTE, REQ, SERIALIZER, TOO_BIG, UNKNOWN, Failure


def no_route(route: str) -> Failure:
    return Failure(NO_ROUTE, f"no route {route!r}", 404)


class Note(Delivery):
    """A job that remembers what became of it."""

    def __init__(
        self,
        body: bytes = b"1",
        *,
        asks: bool = True,
        route: bytes = b"r",
        expires: float | None = None,
        deliveries: int | None = None,
    ) -> None:
        self.message = Message(1, asks, route, body, "key", "client", expires)
        self.peer = PeerIdentity("test", "here")
        self.redelivered = bool(deliveries)
        self.deliveries = deliveries
        self.outcomes: list[Any] = []

    def ack(self, kind: int = ANSWER, body: bytes | None = None) -> None:
        self.outcomes.append((kind, body))

    def requeue(self) -> None:
        self.outcomes.append("back")


def runner_of(function: Callable[..., Any], pool: EagerTaskPool | None = None) -> InboxDispatcher:
    handlers = {b"r": Handler(function, JsonSerializer())}
    return InboxDispatcher(HandlerSet(handlers, no_route, pool or EagerTaskPool()), Limits())


async def take(runner: InboxDispatcher, *jobs: Note) -> None:
    """Give it messages as a consumer does: from the event loop, not in a task."""

    def feed() -> None:
        for job in jobs:
            runner.take(job)

    asyncio.get_running_loop().call_soon(feed)
    await asyncio.sleep(0)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def failure(job: Note) -> Failure:
    [(kind, body)] = job.outcomes
    return Failure.decode(kind, body)


async def test_answers_and_errors() -> None:
    def handler(data: Any) -> Any:
        if data == 2:
            raise ReqError("no", 5)
        if data == 3:
            raise SystemExit
        return data

    runner = runner_of(handler)
    jobs = [Note(b"1"), Note(b"2"), Note(b"3"), Note(b"{"), Note(route=b"other")]
    thrown = [Note(b"1", asks=False), Note(b"2", asks=False), Note(b"{", asks=False)]
    await take(runner, *jobs, *thrown)
    for job in (*jobs, *thrown):
        await until_settled(job)
    assert jobs[0].outcomes == [(ANSWER, b"1")]
    assert (failure(jobs[1]).kind, failure(jobs[1]).code) == (REQ, 5)
    assert failure(jobs[2]).kind == UNKNOWN
    assert failure(jobs[3]).kind == SERIALIZER
    assert failure(jobs[4]) == Failure(NO_ROUTE, "no route 'other'", 404)
    assert [job.outcomes for job in thrown] == [[(ANSWER, None)]] * 3


async def test_an_answer_that_the_broker_does_not_take() -> None:
    runner = runner_of(lambda size: "x" * size)
    runner.largest_answer(2000)
    runner.largest_answer(1 << 40)
    jobs = [Note(b"1998"), Note(b"1999")]
    for job in jobs:
        await take(runner, job)
        await until_settled(job)
    assert jobs[0].outcomes == [(ANSWER, b'"' + b"x" * 1998 + b'"')]
    assert (failure(jobs[1]).kind, "2001 bytes" in failure(jobs[1]).message) == (TOO_BIG, True)


async def test_what_is_expired_is_not_run() -> None:
    ran: list[Any] = []
    runner = runner_of(ran.append)
    late, early = Note(expires=time.time() - 0.001), Note(b"2", expires=time.time() + 60)
    await take(runner, late, early)
    await until_settled(early)
    assert ran == [2]
    assert late.outcomes == [(ANSWER, None)]


async def test_a_handler_is_cancelled_when_the_time_is_over() -> None:
    seen: list[Context] = []

    async def handler(data: Any, context: Context) -> None:
        seen.append(context)
        await asyncio.sleep(60)

    pool = EagerTaskPool()
    runner = runner_of(handler, pool)
    job = Note(expires=time.time() + 0.02)
    await take(runner, job)
    await asyncio.wait_for(until_settled(job), 40)
    assert job.outcomes == [(ANSWER, None)]
    assert seen[0].remaining == 0.0
    assert pool.idle


async def until_settled(job: Note) -> None:
    while not job.outcomes:
        await asyncio.sleep(0.001)


async def test_cancellation_before_and_after_the_handler_began() -> None:
    begun: list[Any] = []

    async def handler(data: Any) -> None:
        begun.append(data)
        await asyncio.sleep(60)

    pool = EagerTaskPool()
    runner = runner_of(handler, pool)
    running, waiting, suspect = Note(b"1"), Note(b"2"), Note(b"3", deliveries=5)
    await take(runner, running)
    runner.take(waiting)
    runner.take(suspect)
    for job in (running, waiting, suspect):
        runner.cancel(job)
    await asyncio.wait_for(pool.wait_idle(), 5)
    for job in (running, waiting, suspect):
        assert job.outcomes == [(ANSWER, None)]
    assert begun == [1]


async def test_stop_and_close(caplog: pytest.LogCaptureFixture) -> None:
    release = asyncio.Event()

    async def handler(data: Any) -> Any:
        await (release.wait() if data == 1 else asyncio.sleep(60))
        return data

    pool = EagerTaskPool()
    runner = runner_of(handler, pool)
    ends, hangs, waits, late = Note(b"1"), Note(b"2"), Note(b"3", deliveries=3), Note(b"4")
    await take(runner, ends, hangs)
    await turns()
    runner.take(waits)
    runner.closing = True
    runner.take(late)
    await turns()
    assert [waits.outcomes, late.outcomes] == [[], []], "they would come back at once"
    runner.give_back()
    assert [waits.outcomes, late.outcomes] == [["back"], ["back"]]
    release.set()
    await until_settled(ends)
    assert ends.outcomes == [(ANSWER, b"1")]
    await pool.close(1.0)
    assert hangs.outcomes == ["back"]
    assert "was cut short: the server is closed" in caplog.text


async def test_a_request_that_was_cancelled_does_not_come_back_when_the_server_closes() -> None:
    pool = EagerTaskPool()
    runner = runner_of(lambda data: asyncio.sleep(60), pool)
    job = Note()
    await take(runner, job)
    runner.closing = True
    runner.cancel(job)
    await pool.close(1.0)
    assert job.outcomes == [(ANSWER, None)]


async def test_a_handler_that_raises_cancelled_error_has_failed() -> None:
    async def handler(data: Any) -> None:
        raise asyncio.CancelledError

    runner = runner_of(handler)
    job = Note()
    await take(runner, job)
    await turns()
    assert failure(job).kind == UNKNOWN


async def test_what_came_back_often_is_handled_one_at_a_time_in_random_order() -> None:
    running: list[Any] = []
    order: list[Any] = []
    most = 0

    async def handler(data: Any) -> None:
        nonlocal most
        running.append(data)
        most = max(most, len(running))
        order.append(data)
        await asyncio.sleep(0)
        running.remove(data)

    runner = runner_of(handler)
    jobs = [Note(str(number).encode(), deliveries=2) for number in range(40)]
    await take(runner, *jobs)
    for job in jobs:
        await until_settled(job)
    assert most == 1
    assert sorted(order) == list(range(40))
    assert order != list(range(40))


async def test_answers_go_out_between_handlers_that_take_long() -> None:
    def handler(data: Any) -> None:
        time.sleep(0.006)

    runner = runner_of(handler)
    jobs = [Note() for _ in range(4)]
    await take(runner, *jobs)
    counts = []
    while sum(bool(job.outcomes) for job in jobs) < 4:
        counts.append(sum(bool(job.outcomes) for job in jobs))
        await asyncio.sleep(0)
    assert counts == [1, 2, 3]


async def test_a_slow_handler_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    runner = runner_of(lambda data: time.sleep(0.11))
    await take(runner, Note())
    assert "held up the event loop" in caplog.text
