"""Credit goes back when messages are dealt with: never early, never twice, and what was granted stays so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from communica_like import Limits, MemoryConnector, PeerIdentity, Serializer, SimpleClient, SimpleServer
from communica_like.abc import Link
from communica_like.entities.connection.driver import SessionDriver
from communica_like.entities.handling.handlers import Handler
from communica_like.entities.handling.runner import HandlerSet
from communica_like.entities.handling.tasks import EagerTaskPool
from communica_like.session import Event, Session
from communica_like.session.events import BROKEN
from communica_like.wire.failure import RESP, Failure
from communica_like.wire.frames import ACK, ACK_BODY, split_frames
from communica_like.wire.limits import MESSAGE_COST
from tests.entities.stage import PATIENCE, eventually

KIB = 1024
LIMITS = Limits(max_message=256 * KIB, heartbeat=3600)
LARGE = 200 * KIB
MANY = 40
"""Requests of one read: so many that some of their answers are written before the rest is handled."""


class Raw(Serializer):
    def dump(self, obj: Any, /) -> bytes:
        return bytes(obj)

    def load(self, data: bytes, /) -> Any:
        return data


class Sink(Link):
    """A link that keeps what is sent, and can be full after the first write."""

    def __init__(self) -> None:
        self.writable = True
        self.full_after_one = False
        self.peer = PeerIdentity("sink", "here")
        self.writes: list[bytes] = []

    def send(self, data: bytes, /) -> None:
        self.writes.append(data)
        self.writable = not self.full_after_one

    def close(self) -> None:
        raise AssertionError("closed")

    abort = close


class Meeting:
    """A SessionDriver whose handler of large messages waits, and the other side's Session, driven by hand."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

        async def handler(data: bytes) -> bytes:
            if len(data) > KIB:
                await self.gate.wait()
            return b""

        self.link = Sink()
        self.other = Session(LIMITS)
        self.ended: list[object] = []
        self.granted = [(LIMITS.window, LIMITS.max_message)]
        self.pool = EagerTaskPool()
        self.peer = SessionDriver(
            "client",
            LIMITS,
            HandlerSet({b"": Handler(handler, Raw())}, lambda route: Failure(RESP, "no"), self.pool),
            set(),
            keep=False,
            on_link_lost=self.ended.append,
            on_ended=lambda peer, reason: self.ended.append(reason),
        )
        self.peer.establish(self.link, bytes(range(16)), LIMITS, b"")
        self.other.establish(bytes(range(16)), LIMITS, 0.0)

    async def feed(self, data: bytes) -> None:
        """One read of the peer, from the event loop as links do."""
        done = asyncio.get_running_loop().create_future()

        def read() -> None:
            self.peer.data_received(data)
            done.set_result(None)

        asyncio.get_running_loop().call_soon(read)
        await done

    def take(self) -> list[Event]:
        """Give what the peer wrote to the other side; keep an eye on the credit."""
        events = []
        for data in self.link.writes:
            for kind, _, _, _, _, payload in split_frames(data):
                if kind == ACK:
                    small, large = ACK_BODY.unpack(payload)
                    assert (small, large) >= self.granted[-1]
                    assert large >= self.granted[-1][1]
                    self.granted.append((small, large))
            events += self.other.receive(data, 0.0)
        self.link.writes.clear()
        return events

    async def send_large_but_its_last_piece(self) -> bytes:
        """A large request; return the bytes that are still to be read."""
        assert self.other.request("large", b"", bytes(LARGE), 0.0)
        while True:
            data = self.other.data_to_send(0.0)
            if not self.other.bulk.busy:
                return data
            await self.feed(data)
            self.take()

    def many(self) -> bytes:
        """Small requests, in one write."""
        for number in range(MANY):
            assert self.other.request(number, b"", b"", 0.0)
        return self.other.data_to_send(0.0)


@pytest.fixture
async def meeting() -> AsyncIterator[Meeting]:
    meeting = Meeting()
    yield meeting
    meeting.gate.set()
    await asyncio.wait_for(meeting.pool.wait_idle(), PATIENCE)
    await meeting.pool.close(1)
    meeting.peer._timer.set(float("inf"))


@pytest.mark.parametrize("order", ["small first", "with a cancel between", "large first"])
async def test_credit_of_a_large_message_comes_back_when_its_handler_ends(
    meeting: Meeting, order: str
) -> None:
    last = await meeting.send_large_but_its_last_piece()
    many = meeting.many()
    if order == "with a cancel between":
        meeting.other.cancel(meeting.other.request("victim", b"", b"", 0.0))
        many += meeting.other.data_to_send(0.0)
    meeting.link.full_after_one = True
    await meeting.feed(last + many if order == "large first" else many + last)
    meeting.take()
    assert meeting.granted[-1][1] == LIMITS.max_message
    meeting.link.full_after_one, meeting.link.writable = False, True
    meeting.peer.link_writable()
    meeting.gate.set()
    await eventually(lambda: (meeting.take(), meeting.granted[-1][1] > LIMITS.max_message)[1])
    assert meeting.granted[-1][1] == LIMITS.max_message + LARGE
    # It is enough for another one, and that is in order.
    await meeting.feed(await meeting.send_large_but_its_last_piece())
    await eventually(lambda: (meeting.take(), not meeting.other.pending)[1])
    assert meeting.ended == []


async def test_all_credit_comes_back(meeting: Meeting) -> None:
    meeting.gate.set()
    for _ in range(3):
        last = await meeting.send_large_but_its_last_piece()
        await meeting.feed(meeting.many() + last + meeting.many())
        await eventually(lambda: (meeting.take(), not meeting.other.pending)[1])
    meeting.other.ask_for_ack()
    await meeting.feed(meeting.other.data_to_send(0.0))
    assert [event for event in meeting.take() if event[0] == BROKEN] == []
    assert meeting.granted[-1] == (
        LIMITS.window + 6 * MANY * MESSAGE_COST,
        LIMITS.max_message + 3 * LARGE,
    )


async def test_answers_that_come_with_the_greeting_wake_nobody_inside_of_it(meeting: Meeting) -> None:
    woken: list[bytes] = []
    seen: list[int] = []

    async def ask() -> None:
        woken.append(await meeting.peer.calls.request(b"", b"question"))

    def resume() -> None:
        meeting.peer.resume(Sink(), meeting.other.received, meeting.other.data_to_send(0.0))
        seen.append(len(woken))

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0)
    ((_, ident, _, _, _),) = meeting.take()
    meeting.other.answer(ident, b"answer")
    meeting.peer.link_broken(None)
    asyncio.get_running_loop().call_soon(resume)
    await asyncio.wait_for(asking, PATIENCE)
    assert (seen, woken) == ([0], [b"answer"])


async def test_no_more_messages_are_in_hand_than_the_window_holds() -> None:
    limits = Limits(window=128 * KIB)
    gate = asyncio.Event()
    in_hand: set[int] = set()
    most = 0

    async def handler(data: int) -> None:
        nonlocal most
        in_hand.add(data)
        most = max(most, len(in_hand))
        if len(in_hand) >= 120:
            full.set()
        await gate.wait()
        in_hand.discard(data)

    connector = MemoryConnector()
    full = asyncio.Event()
    async with SimpleServer(connector, handler, limits=limits):
        async with SimpleClient(connector, limits=limits) as client:
            asking = [asyncio.create_task(client.request(number)) for number in range(1000)]
            await asyncio.wait_for(full.wait(), PATIENCE)
            for _ in range(20):
                await asyncio.sleep(0)
            gate.set()
            await asyncio.wait_for(asyncio.gather(*asking), PATIENCE)
    assert 120 <= most <= limits.window // MESSAGE_COST
