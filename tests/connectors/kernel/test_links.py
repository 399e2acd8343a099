"""Links over POSIX queues, System V queues and named pipes: both ends in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from communica_like.abc import Connector, Link, LinkReceiver
from communica_like.queues import reap
from tests.connectors.kernel.media import still_there
from tests.connectors.recorder import Recorder, eventually, serving
from tests.private_state import entries_of
from tests.system.forked import Forked, Hear, Tell

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux has them all"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

BLOB = random.Random(1).randbytes(1_000_000)


@contextlib.asynccontextmanager
async def linked(connector: Connector) -> AsyncIterator[tuple[Link, Recorder, Link, Recorder]]:
    """Give both ends of a link and their recorders: the client's, and the server's."""
    async with serving(connector) as served:
        near = Recorder()
        link = await connector.connect(near)
        far_link, far = await served.link()
        try:
            yield link, near, far_link, far
        finally:
            link.abort()
            await near.until_broken()


async def test_much_both_ways_in_order(connector: Connector) -> None:
    async with linked(connector) as (link, near, far_link, far):
        for start in range(0, len(BLOB), 100_001):
            link.send(BLOB[start : start + 100_001])
            far_link.send(BLOB[start : start + 100_001])
        assert await far.until(len(BLOB)) == BLOB
        assert await near.until(len(BLOB)) == BLOB


async def test_small_pieces_in_order(connector: Connector) -> None:
    async with linked(connector) as (link, _, _, far):
        for start in range(0, 200_000, 7):
            link.send(BLOB[start : start + 7])
        link.send(b"")
        link.close()
        await far.until_broken()
        assert far.data == BLOB[:200_004][: len(far.data)]
        assert len(far.data) >= 200_000


def writable(link: Link) -> bool:
    return link.writable  # asked in a function, mypy does not take it for constant


async def test_writable_again(connector: Connector) -> None:
    async with linked(connector) as (link, near, _, far):
        assert writable(link)
        sent = 0
        while writable(link):
            link.send(BLOB[sent : sent + 5_000])
            sent += 5_000
        assert not near.writable.is_set()
        async with asyncio.timeout(40):
            await near.writable.wait()
        assert writable(link)
        assert await far.until(sent) == BLOB[:sent]


async def test_close_sends_what_was_taken(connector: Connector) -> None:
    async with linked(connector) as (link, near, far_link, far):
        far_link.send(b"to be read")
        link.send(BLOB)  # more than there is room for
        link.close()
        assert not link.writable
        link.send(b"into the void")
        link.close()
        await far.until_broken()
        assert far.data == BLOB
        await near.until_broken()
        assert near.error is far.error is None


async def test_both_close_at_once(connector: Connector) -> None:
    async with linked(connector) as (link, near, far_link, far):
        link.send(b"a" * 100_000)
        far_link.send(b"b" * 100_000)
        link.close()
        far_link.close()
        await near.until_broken()
        await far.until_broken()
        assert near.error is far.error is None
        assert set(near.data) <= {ord("b")}
        assert set(far.data) <= {ord("a")}


@pytest.mark.parametrize("size, turns", [(0, 0), (10_000, 1), (1_000_000, 0), (1_000_000, 3)])
async def test_what_arrives_before_an_abort_has_no_hole(connector: Connector, size: int, turns: int) -> None:
    async with linked(connector) as (link, near, _, far):
        link.send(BLOB[:size])
        for _ in range(turns):
            await asyncio.sleep(0)
        link.abort()
        link.abort()
        link.close()
        link.send(b"into the void")
        await near.until_broken()
        await far.until_broken()
        assert near.error is far.error is None
        assert BLOB.startswith(far.data)


async def test_abort_while_closing(connector: Connector) -> None:
    async with linked(connector) as (link, near, _, far):
        link.send(BLOB)
        link.close()
        link.abort()
        await near.until_broken()
        await far.until_broken()
        assert BLOB.startswith(far.data)
        assert len(far.data) < len(BLOB)


async def test_a_client_that_is_turned_away_at_once(connector: Connector) -> None:
    """A server that closes aborts a link while it is given it."""

    class Refusal(Recorder):
        pass

    refusals: list[Refusal] = []

    def accept(link: Link) -> LinkReceiver:
        link.abort()
        refusals.append(Refusal())
        return refusals[-1]

    before = descriptors()
    listener = await connector.listen(accept)
    busy = count_wakes(asyncio.get_running_loop())
    for number in range(3):
        near = Recorder()
        await connector.connect(near)
        await near.until_broken()
        await eventually(lambda number=number: len(refusals) > number)  # type: ignore[misc]
        await refusals[number].until_broken()
    await listener.close()
    await eventually(lambda: descriptors() <= before)
    wakes = busy()
    await asyncio.sleep(0.05)
    assert busy() - wakes < 20, "the loop is at rest"


def count_wakes(loop: asyncio.AbstractEventLoop) -> Any:
    """Return a function that tells how often the loop has looked for events."""
    selector: Any = loop._selector  # type: ignore[attr-defined]
    select, count = selector.select, 0

    def counted(timeout: float | None = None) -> Any:
        nonlocal count
        count += 1
        return select(timeout)

    selector.select = counted
    return lambda: count


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_nothing_is_left(connector: Connector, state: Path) -> None:
    before = descriptors()
    seen: set[str] = set()
    async with serving(connector) as served:
        [server_entry] = entries_of(state)
        for number in range(6):
            near = Recorder()
            link = await connector.connect(near)
            far_link, far = await served.link(number)
            seen.update(entries_of(state))
            if number % 3 == 1:
                far_link.send(BLOB[:200_000])
                link.send(BLOB[:200_000])
            [link, far_link][number % 2].close() if number < 4 else [link, far_link][number % 2].abort()
            await near.until_broken()
            await far.until_broken()
        await eventually(lambda: entries_of(state) == [server_entry])
    assert len(seen) > 6
    assert still_there([each for each in seen if not each.startswith("pipe-")]) == []
    await eventually(lambda: descriptors() <= before)
    assert {path.name for path in state.iterdir()} <= {"registry.lock"}
    assert reap() == []


async def test_names_are_gone_once_connected(connector: Connector, state: Path) -> None:
    async with serving(connector) as served:
        link = await connector.connect(near := Recorder())
        far_link, _ = await served.link()
        entries = [each for each in entries_of(state) if each != f"{_kind(connector)} {_name(connector)}"]
        pipes = [each for each in entries if each.startswith(("fifo", "posixmq"))]
        assert still_there(pipes) == [], "the server has them open"
        far_link.send(b"hello")
        await near.until(5)
        entries = [each for each in entries_of(state) if each.startswith(("fifo", "posixmq"))]
        assert entries == ([] if connector.scheme == "sysv" else [f"{_kind(connector)} {_name(connector)}"])
        link.abort()
        await near.until_broken()


def _kind(connector: Connector) -> str:
    return {"posixmq": "posixmq", "sysv": "sysvmq", "fifo": "fifo"}[connector.scheme]


def _name(connector: Connector) -> str:
    return str(getattr(connector, {"posixmq": "name", "sysv": "key", "fifo": "path"}[connector.scheme]))


async def test_owner_only(connector: Connector, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with a umask that would give it to all."""
    before = os.umask(0)
    try:
        async with linked(connector) as (link, _, far_link, _):
            for each in (link, far_link):
                pair: Any = each._pair  # type: ignore[attr-defined]
                if connector.scheme == "sysv":
                    assert {pair.inwards._mq.mode, pair.outwards._mq.mode} == {0o600}
                    pair = pair.pipes
                ends = [getattr(pair, "reading", 0), getattr(pair, "writing", 0)]
                if connector.scheme == "posixmq":
                    ends = [pair.inwards.fileno(), pair.outwards.fileno()]
                for end in ends:
                    assert stat.S_IMODE(os.fstat(end).st_mode) == 0o600
    finally:
        os.umask(before)


async def test_a_forked_child_keeps_no_link_alive(connector: Connector) -> None:
    def wait(tell: Tell, hear: Hear) -> None:
        tell("forked")
        hear()

    async with linked(connector) as (link, near, _, far):
        with Forked(wait) as child:
            child.line()
            link.send(b"last words")
            link.close()
            await near.until_broken()
            await far.until_broken()
            assert far.data == b"last words"
