"""Checks of requests: each has exactly one outcome, its own."""

from __future__ import annotations

import asyncio
import os

from ...entities import RouteClient, RouteTable
from ...exceptions import CommunicaError, HandlerError, ReqError, RespError
from .meeting import MakeMeeting, at_most, promised, raises, refused
from .processes.stage import Stage


@promised
async def check_one_outcome(make: MakeMeeting) -> None:
    """Each request has exactly one outcome, its own: the answer, or the error that its handler raised."""
    await _ask(Stage(make(None), here=True), 600)


@promised
async def check_outcomes_between_processes(make: MakeMeeting) -> None:
    """Each request to another process has exactly one outcome, its own; so has each request from there."""
    await _ask(Stage(make(None)), 120)


async def _ask(stage: Stage, count: int) -> None:
    table = RouteTable()
    table.add_route("echo", lambda data: [data, os.getpid()])
    kinds = ("echo", "work", "later", "call back", "req", "resp", "bug")
    async with stage, stage.client(table) as client:

        async def ask(number: int) -> None:
            kind = kinds[number % len(kinds)]
            errors = {
                "req": (ReqError, f"req {number} (code {number})"),
                "resp": (RespError, f"resp {number} (code {-number})"),
                "bug": (HandlerError, f"ZeroDivisionError({number})"),
            }
            if kind in errors:
                error, text = errors[kind]
                with raises(error, "a handler's error comes back") as caught:
                    await client.request("fail", [kind, number])
                assert text in str(caught[0])
            elif kind == "work":
                assert await client.request("work", ["check", number]) == number + 1
            elif kind == "call back":
                answer = await client.request("call back", ["echo", number])
                assert answer == [number, os.getpid()], "the server's own request comes here"
            else:
                assert await client.request(kind, number) == number

        pid = await client.request("pid")
        assert pid == stage.pid
        assert stage.here == (pid == os.getpid()), "the server is a process of its own"
        await at_most(30, asyncio.gather(*map(ask, range(count))), "each request has an outcome")
        handled = stage.entries("work check")
        assert handled == [n for n in range(count) if n % len(kinds) == 1], "once, and in order"


@promised
async def check_many_processes(make: MakeMeeting) -> None:
    """Several client processes do not disturb each other; where a connector takes one client, a second one
    does not disturb the first.
    """
    async with Stage(make(None)) as stage, stage.client() as client:
        assert await client.request("echo", "first") == "first"
        if stage.meeting.starts_server:
            async with stage.client() as other:
                pids = {await client.request("pid"), await other.request("pid")}
                assert len(pids) == 2, "each client has a server of its own"
        elif stage.meeting.server.guarantees.many_clients:
            await _work_together(stage, client)
        else:
            await refused(stage.client(), CommunicaError, "the only client there may be is in", 0.3)
        assert await client.request("echo", "last") == "last"


async def _work_together(stage: Stage, client: RouteClient) -> None:
    count = 200
    names = ["one", "two"]
    workers = [stage.run_client("work", name, count) for name in names]

    while not all(worker.ended for worker in workers):
        asking = asyncio.gather(*(client.request("echo", number) for number in range(5)))
        answers = await at_most(20, asking, "all clients are served")
        assert answers == list(range(5)), "each client gets its own answers"
        await asyncio.sleep(0.002)  # leaves the processors to the programs
    for worker in workers:
        assert await worker.end("a client process ends") == 0, stage.stderr
    for name in names:
        thrown = stage.entries(f"thrown {name}")
        assert thrown == list(range(count)), "throws of each process arrive once and in order"
        handled = stage.entries(f"work {name}")
        assert sorted(handled) == list(range(count)), "requests of each process are handled once"
