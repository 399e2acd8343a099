"""A link over two pipes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from communica_like.abc import PeerIdentity
from communica_like.connectors.links.pipe import PipeLink
from communica_like.system import fork
from tests.connectors.recorder import Recorder, eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipes that an event loop can watch")

MIB = 1024 * 1024
Pair = tuple[PipeLink, Recorder, PipeLink, Recorder]


class Ends:
    """Makes links and bare descriptors, and closes what is left of them."""

    def __init__(self) -> None:
        self.links: list[tuple[PipeLink, Recorder]] = []
        self.bare: list[int] = []

    def link(self, reading: int, writing: int) -> tuple[PipeLink, Recorder]:
        for each in (reading, writing):
            os.set_blocking(each, False)
        link = PipeLink(reading, writing, PeerIdentity("pipe", "test"))
        link.receiver = recorder = Recorder()
        link.start()
        self.links.append((link, recorder))
        return link, recorder

    def pair(self) -> Pair:
        """Two links that are connected."""
        (to_far, from_near), (to_near, from_far) = os.pipe(), os.pipe()
        return *self.link(to_near, from_near), *self.link(to_far, from_far)

    def half(self) -> tuple[PipeLink, Recorder, int, int]:
        """A link, and the descriptors of the other end: for reading and for writing."""
        (reading, from_near), (to_near, writing) = os.pipe(), os.pipe()
        self.bare += [reading, writing]
        return *self.link(to_near, from_near), reading, writing

    def close(self, descriptor: int) -> None:
        self.bare.remove(descriptor)
        os.close(descriptor)


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    before = set(os.listdir("/proc/self/fd"))
    forgotten = set(fork._descriptors)
    ends = Ends()
    yield ends
    for descriptor in list(ends.bare):
        ends.close(descriptor)
    for link, recorder in ends.links:
        link.abort()
        await recorder.until_broken()
    assert set(os.listdir("/proc/self/fd")) <= before
    assert fork._descriptors == forgotten


async def test_bytes_go_both_ways_in_order(ends: Ends) -> None:
    near, near_ear, far, far_ear = ends.pair()
    blob = bytes(range(256)) * 4_000
    for start in range(0, len(blob), 7_001):
        near.send(blob[start : start + 7_001])
        far.send(blob[start : start + 7_001])
    assert await near_ear.until(len(blob)) == blob
    assert await far_ear.until(len(blob)) == blob


async def test_close_sends_what_was_taken(ends: Ends) -> None:
    near, near_ear, far, far_ear = ends.pair()
    blob = os.urandom(3 * MIB)
    for start in range(0, len(blob), MIB):
        near.send(blob[start : start + MIB])
    near.close()
    near.send(b"into the void")
    near.close()
    await far_ear.until_broken()
    assert far_ear.data == blob
    await near_ear.until_broken()  # the other end broke as well, and let go of its pipe
    assert near_ear.error is far_ear.error is None
    assert not near.writable
    assert not far.writable


async def test_abort_drops_what_was_not_sent(ends: Ends) -> None:
    near, near_ear, _, far_ear = ends.pair()
    near.send(b"x" * (3 * MIB))
    near.abort()
    near.abort()
    near.send(b"into the void")
    near.close()
    assert not near_ear.broken.is_set(), "the receiver hears of it soon, not at once"
    await near_ear.until_broken()
    await far_ear.until_broken()
    assert len(far_ear.data) < 3 * MIB
    assert set(far_ear.data) <= {ord("x")}


async def test_writable_tells_of_a_reader_that_does_not_keep_up(ends: Ends) -> None:
    near, recorder, reading, _ = ends.half()
    sent = 0
    while near.writable:
        near.send(b"x" * 10_000)
        sent += 10_000
    assert 64 * 1024 < sent < 2 * MIB
    received = 0
    os.set_blocking(reading, False)
    while received < sent - 20_000:
        assert near.writable == recorder.writable.is_set()
        try:
            received += len(os.read(reading, 5_000))
        except BlockingIOError:
            pass
        await asyncio.sleep(0)
    await eventually(recorder.writable.is_set)
    assert near.writable


async def test_a_closing_link_does_not_become_writable(ends: Ends) -> None:
    near, recorder, reading, _ = ends.half()
    near.send(b"x" * MIB)
    near.close()
    received = 0
    while data := await asyncio.to_thread(os.read, reading, 65_536):
        received += len(data)
    assert received == MIB
    assert not near.writable
    assert not recorder.writable.is_set()


async def test_all_data_comes_before_the_end(ends: Ends) -> None:
    _, recorder, _, writing = ends.half()
    os.set_blocking(writing, False)
    size = os.write(writing, os.urandom(MIB))  # as much as there is room
    ends.close(writing)
    await recorder.until_broken()
    assert len(recorder.data) == size


@pytest.mark.parametrize("size", [1, MIB])
async def test_nobody_reads_but_what_was_sent_is_read(ends: Ends, size: int) -> None:
    near, recorder, reading, writing = ends.half()
    if size == MIB:
        near.send(b"x" * size)  # the rest waits when the reader goes
    ends.close(reading)
    near.send(b"x" * size)
    os.write(writing, b"last words")
    assert await recorder.until(10) == b"last words"
    await eventually(lambda: not near.writable)
    near.send(b"into the void")
    assert not recorder.broken.is_set(), "there may be more to read"
    ends.close(writing)
    await recorder.until_broken()
    assert recorder.error is None


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_a_receiver_may_end_the_link_when_it_gets_data(ends: Ends, end: str) -> None:
    near, recorder, _, writing = ends.half()

    class Ender(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            act: Callable[[], None] = getattr(near, end)
            act()

    near.receiver = ender = Ender()
    ends.links[-1] = (near, ender)
    os.write(writing, b"x" * 50)
    await ender.until(50)
    if end == "close":
        ends.close(writing)
    await ender.until_broken()
    assert not recorder.broken.is_set(), "the receiver was exchanged"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_fork_does_not_keep_it_alive(ends: Ends) -> None:
    near, near_ear, _, far_ear = ends.pair()
    hold, release = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(release)
        os.read(hold, 1)
        os._exit(0)
    try:
        near.close()
        await far_ear.until_broken()
        await near_ear.until_broken()
    finally:
        os.close(release)
        os.close(hold)
        os.waitpid(pid, 0)
