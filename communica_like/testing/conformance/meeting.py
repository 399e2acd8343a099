"""Meeting: where the two sides of a check connect; and the assertions that checks use."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from ...abc import Connector
from ...connectors import connector_from
from ...entities import Backoff
from ...entities.entity import Entity
from ...exceptions import CommunicaError
from ...wire.limits import Limits

E = TypeVar("E", bound=Exception)

QUICK = Limits(heartbeat=2.0, resume_window=5.0)
"""Limits of entities in checks."""

IMPATIENT = Backoff(initial=0.002, maximum=0.05)
"""How clients in checks connect again."""

PATIENCE = 20.0
"""Seconds that a check waits for what should come soon, on a busy machine."""

SHORT = (0.2, 1.0, 5.0)
"""Time limits in seconds, for requests that do not end. The next one is for a machine that is so busy that
the one before was over when the request reached its handler.
"""


def _program(role: str) -> list[str]:
    return [sys.executable, "-m", f"communica_like.testing.conformance.{role}"]


class Meeting(NamedTuple):
    """A connector for a server, and one for its clients.

    Attributes:
        server: serves an address that no other meeting uses.
        client: called with the server's address once it serves; returns the clients' connector.
        starts_server: whether the clients' connector starts the server as a process of its own. Checks within
            one process then do not apply.
        program: called with ``"server"`` or ``"client"``; returns the command line of that program of the
            kit, to which the URL is added. Give your own where a URL and an authkey do not make a connector,
            as with TLS; it calls the ``main`` of the kit's program.
        leftovers: called after everything has ended; returns what is left in the system, as text.
    """

    server: Connector
    client: Callable[[str], Connector]
    starts_server: bool = False
    program: Callable[[str], list[str]] = _program
    leftovers: Callable[[], list[str]] = list


MakeMeeting = Callable[[bytes | None], Meeting]
"""Called with an authkey, or None, returns a new meeting."""

Check = Callable[[MakeMeeting], Coroutine[Any, Any, None]]
"""Raises AssertionError where a promise, which is its docstring, is broken."""


def meeting_of(connector: Connector, **secrets: Any) -> Meeting:
    """Return a meeting whose clients rebuild their connector from the server's address.

    Args:
        connector: the server's.
        secrets: what the URL leaves out and clients need.
    """
    if connector.authkey is not None:
        secrets.setdefault("authkey", connector.authkey)
    return Meeting(connector, lambda address: connector_from(address, **secrets))


def promised(check: Check) -> Check:
    """Decorate a check, so that an unexpected error of this library also breaks its promise."""

    @functools.wraps(check)
    async def checked(make: MakeMeeting) -> None:
        try:
            await check(make)
        except CommunicaError as exc:
            text = f"{type(exc).__name__}: {exc}; promised is: {' '.join((check.__doc__ or '').split())}"
            raise AssertionError(text) from exc

    return checked


async def at_most(seconds: float, awaitable: Awaitable[Any], promise: str) -> Any:
    """Return the awaitable's result; fail with *promise* if it takes longer than that."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await awaitable
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(f"not within {seconds:.1f} s: {promise}") from None


@contextmanager
def raises(kind: type[E], promise: str) -> Iterator[list[E]]:
    """Fail with *promise* unless the block raises; the list then holds the exception."""
    caught: list[E] = []
    try:
        yield caught
    except kind as exc:
        caught.append(exc)
    else:
        raise AssertionError(f"no {kind.__name__}: {promise}")


async def refused(entity: Entity, kind: type[Exception], promise: str, timeout: float | None = None) -> str:
    """Fail with *promise* unless the entity's ``init(timeout)`` raises soon; return the error as text."""
    try:
        with raises(kind, promise) as caught:
            await at_most(10, entity.init(timeout), promise)
    finally:
        await entity.close(0)
    return str(caught[0])


async def reaches(condition: Callable[[], bool], promise: str, seconds: float | None = None) -> None:
    """Wait until *condition* is true; fail with *promise* if that takes longer than PATIENCE, by default."""
    limit = seconds or PATIENCE
    now = asyncio.get_running_loop().time
    deadline = now() + limit
    while not condition():
        assert now() < deadline, f"not within {limit:.1f} s: {promise}"
        await asyncio.sleep(0.002)
