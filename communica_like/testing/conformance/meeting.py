"""Where two sides meet in a check: made anew for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...abc import Connector
from ...connectors import connector_from
from ...wire.limits import Limits

__all__ = ["QUICK", "MakeMeeting", "Meeting", "at_most", "meeting_of", "raises", "reaches"]

QUICK = Limits(heartbeat=2.0, resume_window=5.0)
"""Limits of entities in checks."""


class Meeting(NamedTuple):
    """A connector for a server, and one for its clients.

    Attributes:
        server: serves an address that no other meeting has.
        client: called with the server's address when it serves, returns the clients' connector.
    """

    server: Connector
    client: Callable[[str], Connector]


MakeMeeting = Callable[[bytes | None], Meeting]
"""Called with an authkey, or None, returns a new meeting."""


def meeting_of(connector: Connector, **secrets: Any) -> Meeting:
    """Return a meeting whose clients rebuild their connector from the server's address.

    Args:
        connector: the server's.
        secrets: what the address leaves out, for the clients.
    """
    if connector.authkey is not None:
        secrets.setdefault("authkey", connector.authkey)
    return Meeting(connector, lambda address: connector_from(address, **secrets))


async def at_most(seconds: float, awaitable: Awaitable[Any], promise: str) -> Any:
    """Return the awaitable's result; fail with *promise* if it takes longer."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await awaitable
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(f"not within {seconds} s: {promise}") from None


@contextmanager
def raises(kind: type[Exception], promise: str) -> Iterator[list[Exception]]:
    """Fail with *promise* unless the block raises; the exception is then in the list."""
    caught: list[Exception] = []
    try:
        yield caught
    except kind as exc:
        caught.append(exc)
    else:
        raise AssertionError(f"no {kind.__name__}: {promise}")


async def reaches(condition: Callable[[], bool], promise: str, seconds: float = 10.0) -> None:
    """Wait until *condition* is true; fail with *promise* if it is not in time."""
    now = asyncio.get_running_loop().time
    deadline = now() + seconds
    while not condition():
        assert now() < deadline, f"not within {seconds} s: {promise}"
        await asyncio.sleep(0.002)
