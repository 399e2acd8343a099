"""Checks of requests between processes."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from ...entities import RouteClient, RouteTable
from ...exceptions import CommunicaError, HandlerError, ReqError, RespError
from .meeting import MakeMeeting, at_most, promised, raises, refused
from .processes.stage import Stage


@promised
async def check_outcomes_between_processes(make: MakeMeeting) -> None:
    """Each request to another process has exactly one outcome, its own; so has each request from there."""
    count = 120
    table = RouteTable()
    table.add_route("echo", lambda data: [data, os.getpid()])
    async with Stage(make(None)) as stage:
        async with stage.client(table) as client:
            pid = await client.request("pid", None)
            assert pid == stage.pid != os.getpid(), "the server is a process of its own"

            async def ask(number: int) -> None:
                match number % 6:
                    case 0:
                        assert await client.request("echo", number) == number
                    case 1:
                        assert await client.request("work", ["check", number]) == number + 1
                    case 2:
                        with raises(ReqError, "a handler's ReqError comes back") as caught:
                            await client.request("fail", ["req", number])
                        assert str(caught[0]) == f"req {number} (code {number})"
                    case 3:
                        with raises(RespError, "a handler's RespError comes back") as caught:
                            await client.request("fail", ["resp", number])
                        assert str(caught[0]) == f"resp {number} (code {-number})"
                    case 4:
                        with raises(HandlerError, "a handler's bug comes back") as caught:
                            await client.request("fail", ["bug", number])
                        assert f"ZeroDivisionError({number})" in str(caught[0])
                    case _:
                        answer = await client.request("call back", ["echo", number])
                        assert answer == [number, os.getpid()], "the server's own request comes here"

            await at_most(20, asyncio.gather(*map(ask, range(count))), "each request has an outcome")
            handled = stage.entries("work check")
            assert handled == [n for n in range(count) if n % 6 == 1], "once, and in order"


@promised
async def check_many_processes(make: MakeMeeting) -> None:
    """Several client processes do not disturb each other; where a connector takes one client, a second one
    does not disturb the first.
    """
    async with Stage(make(None)) as stage:
        async with stage.client() as client:
            assert await client.request("echo", "first") == "first"
            if stage.meeting.starts_server:
                async with stage.client() as other:
                    pids = {await client.request("pid", None), await other.request("pid", None)}
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

    async def ask(number: int) -> Any:
        return await client.request("echo", number)

    while not all(worker.ended for worker in workers):
        answers = await at_most(20, asyncio.gather(*map(ask, range(5))), "all clients are served")
        assert answers == list(range(5)), "each client gets its own answers"
        await asyncio.sleep(0.002)  # leaves the processors to the programs
    for worker in workers:
        assert await worker.end("a client process ends") == 0, worker.stderr()
    for name in names:
        thrown = stage.entries(f"thrown {name}")
        assert thrown == list(range(count)), "throws of each process arrive once and in order"
        handled = stage.entries(f"work {name}")
        assert sorted(handled) == list(range(count)), "requests of each process are handled once"
