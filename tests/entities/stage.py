"""What most tests of entities need: a pair that is connected, and waiting with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, ParamSpec

import pytest

from communica_like import (
    Backoff,
    MemoryConnector,
    RouteClient,
    RouteServer,
    RouteTable,
    SimpleClient,
    SimpleServer,
)
from communica_like.entities.client import Client
from communica_like.entities.connection.acceptor import Acceptor
from communica_like.entities.connection.driver import SessionDriver
from communica_like.entities.connection.reconnector import Reconnector
from communica_like.entities.handling.tasks import FINISHED, EagerTask, enter_task, leave_task
from communica_like.entities.server import Server
from communica_like.testing import run_with_virtual_clock

PATIENCE = 40.0
QUICK = Backoff(initial=0.001, maximum=0.01)

P = ParamSpec("P")
Handler = Callable[..., Any]
OnDone = Callable[[EagerTask, Any, BaseException | None], None]


@contextlib.asynccontextmanager
async def simple_pair(
    handler: Handler | None = None, client_handler: Handler | None = None, **options: Any
) -> AsyncIterator[tuple[SimpleServer, SimpleClient]]:
    """A SimpleServer and a connected SimpleClient in this process."""
    connector = MemoryConnector()
    async with SimpleServer(connector, handler, **options) as server:
        async with SimpleClient(connector, client_handler, backoff=QUICK, **options) as client:
            yield server, client


@contextlib.asynccontextmanager
async def route_pair(
    table: RouteTable | None = None, client_table: RouteTable | None = None
) -> AsyncIterator[tuple[RouteServer, RouteClient]]:
    """A RouteServer and a connected RouteClient in this process."""
    connector = MemoryConnector()
    async with RouteServer(connector, table) as server:
        async with RouteClient(connector, route_table=client_table, backoff=QUICK) as client:
            yield server, client


def sessions_of(entity: Client | Server) -> list[SessionDriver]:
    """Return the sessions of an entity."""
    if isinstance(entity, Client):
        assert isinstance(entity._backend, Reconnector)
        return [entity._backend.driver]
    assert isinstance(entity._backend, Acceptor)
    return list(entity._backend.clients.drivers.values())


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test on a loop whose time passes only while there is nothing to do."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_with_virtual_clock(test(*args, **kwargs))

    return run


async def eventually(condition: Callable[[], object]) -> None:
    """Poll, with a deadline."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


def logged(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> str:
    """What was logged at this level or above, without tracebacks."""
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= level)


def echo(data: Any) -> Any:
    """The simplest handler."""
    return data


def first_step(
    host: EagerTask, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context, on_done: OnDone
) -> None:
    """Run a coroutine on a host as the dispatcher does; raise what ends it in its first step."""
    loop = asyncio.get_running_loop()
    enter_task(loop, host.task)
    try:
        awaited = context.run(host.begin, coroutine)
        if awaited is FINISHED:
            raise StopIteration(host.result)
        host.adopt(context, awaited, on_done)
    finally:
        leave_task(loop, host.task)
