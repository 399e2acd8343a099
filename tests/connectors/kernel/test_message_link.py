"""What all links of messages do: with queues in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.abc import PeerIdentity
from communica_like.connectors.kernel.message_link import MessageLink
from communica_like.system import ProcessId
from tests.connectors.recorder import Recorder

LARGEST = 100


class FakePair:
    """A pair whose queues are not used."""

    inwards = outwards = None
    largest = LARGEST


class FakeLink(MessageLink):
    """A link that keeps what it puts, of which there is room for *room* messages."""

    def __init__(self, room: int = 10**9) -> None:
        pair: Any = FakePair()
        super().__init__(PeerIdentity("fake", "there"), ProcessId.own(), pair)
        self.room = room
        self.put: list[bytes] = []
        self.got: deque[bytes] = deque()
        self.waits = False
        self.released = 0
        self.receiver = self.recorder = Recorder()

    def start(self) -> None:
        """Begin to read: the tests do that."""

    def _put(self, message: bytes) -> bool:
        assert isinstance(message, bytes)
        assert len(message) <= self._largest
        assert not self.released
        if len(self.put) >= self.room:
            return False
        self.put.append(message)
        return True

    def _get(self) -> bytes | None:
        return self.got.popleft() if self.got else None

    def _watch_room(self, wanted: bool) -> None:
        self.waits = wanted

    def _release(self) -> None:
        self.released += 1

    def give(self, *messages: bytes) -> None:
        """As if the other side had sent them."""
        self.got.extend(messages)
        self._read(64)

    def make_room(self, count: int) -> None:
        """As if the other side had taken some."""
        self.room += count
        self._write()


def run(main: Any) -> None:
    asyncio.run(main)


@given(st.lists(st.binary(max_size=350), max_size=30), st.lists(st.integers(0, 4), max_size=30))
def test_everything_once_in_order_and_close_last(pieces: list[bytes], rooms: list[int]) -> None:
    async def main() -> None:
        link = FakeLink(room=0)
        for piece, room in zip(pieces, rooms + [0] * len(pieces), strict=False):
            link.send(piece)
            if room:
                link.make_room(room)
        link.close()
        while link.put[-1:] != [b""]:
            assert link.waits
            link.make_room(1)
        assert not link.waits
        assert b"".join(link.put) == b"".join(pieces)
        assert link.put.count(b"") == 1, "there is one end"
        link.abort()
        await link.recorder.until_broken()

    run(main())


async def test_one_message_each_while_there_is_room() -> None:
    link = FakeLink()
    for piece in (b"a", b"", b"b" * 100, b"c" * 250):
        link.send(piece)
    assert link.put == [b"a", b"b" * 100, b"c" * 100, b"c" * 100, b"c" * 50]
    assert not link.waits
    link.abort()
    await link.recorder.until_broken()


async def test_what_waits_is_joined() -> None:
    link = FakeLink(room=1)
    for number in range(60):
        link.send(b"%04d" % number)
    assert link.put == [b"0000"]
    assert waits(link)
    link.make_room(2)
    assert [len(each) for each in link.put] == [4, 100, 100]
    link.make_room(5)
    assert [len(each) for each in link.put] == [4, 100, 100, 36]
    assert not waits(link)
    assert b"".join(link.put) == b"".join(b"%04d" % number for number in range(60))
    link.abort()
    await link.recorder.until_broken()


async def test_pressure_and_relief() -> None:
    link = FakeLink(room=1)
    link.send(bytes(100))
    link.send(bytes(64 * 1024))
    assert link.writable
    link.send(b"x")
    assert not writable(link)
    while not link.recorder.writable.is_set():
        assert not writable(link)
        link.make_room(1)
    assert writable(link)
    assert 0 < link._unsent.size <= 16 * 1024
    link.send(bytes(64 * 1024))
    assert not writable(link)
    link.recorder.writable.clear()
    link.close()
    link.make_room(10_000)
    assert not link.recorder.writable.is_set(), "one that closes is not writable"
    assert not writable(link)
    link.abort()
    await link.recorder.until_broken()


def writable(link: MessageLink) -> bool:
    return link.writable


def waits(link: FakeLink) -> bool:
    return link.waits


async def test_reading() -> None:
    link = FakeLink()
    full = bytes(LARGEST)
    link.give(b"a")
    link.give(full, full, b"b", b"c")
    assert link.recorder.data == b"a" + full + full + b"b", "what is not full is the last for now"
    link._read(64)
    assert link.recorder.data.endswith(b"bc")
    link.got.extend([full] * 100)
    link._read(64)
    assert len(link.got) == 36, "others have their turn"
    link._read(100, drain=True)
    assert not link.got
    link.abort()
    await link.recorder.until_broken()


async def test_the_other_side_ends_it() -> None:
    link = FakeLink(room=0)
    link.send(b"never taken")
    link.give(b"x" * LARGEST, b"", b"after the end")
    assert link.recorder.data == b"x" * LARGEST
    assert link.released == 1
    link.send(b"into the void")
    link.close()
    link.abort()
    assert link.recorder.error is None
    await link.recorder.until_broken()
    link.make_room(5)
    assert link.put == []
    assert link.released == 1


@pytest.mark.parametrize("how", ["data", "writable"])
async def test_aborted_by_its_receiver(how: str) -> None:
    link = FakeLink(room=0)

    class Aborter(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            link.abort()

        def link_writable(self) -> None:
            link.abort()

    link.receiver = link.recorder = Aborter()
    if how == "data":
        link.give(bytes(LARGEST), b"")
        link.give(b"nothing comes after it")
        assert link.recorder.data == bytes(LARGEST)
    else:
        link.send(bytes(70_000))
        link.make_room(690)
    assert link.released == 1
    await link.recorder.until_broken()


async def test_the_process_ends() -> None:
    """What it sent before is heard, however much it is; the end of the link comes after it."""
    link = FakeLink()
    link.got.extend([b"last", b"words"] * 100)
    link._process._has_ended()
    assert link.recorder.data == b"lastwords" * 100
    await link.recorder.until_broken()
    assert link.released == 1
    assert "ended" in str(link.recorder.error)
