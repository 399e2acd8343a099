"""What is written when: at once, in bursts, or together."""

from __future__ import annotations

import asyncio

import pytest

from communica_like import Limits, Link, PeerIdentity
from communica_like.entities.connection.writer import Writer
from communica_like.entities.handling.runner import BURST
from communica_like.session import Session

SESSION_ID = bytes(range(16))


class Sink(Link):
    """Keeps what is sent."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.writes: list[bytes] = []
        self.writable = True
        self.peer = PeerIdentity("sink", "here")
        self._room = room

    def send(self, data: bytes, /) -> None:
        self.writes.append(data)
        self._room -= len(data)
        self.writable = self._room > 0

    def close(self) -> None:
        self.writable = False

    def abort(self) -> None:
        self.writable = False


@pytest.fixture
async def session() -> Session:
    session = Session(Limits())
    session.establish(SESSION_ID, Limits(), asyncio.get_running_loop().time())
    return session


def writer_to(session: Session, link: Link | None) -> Writer:
    writer = Writer(session)
    writer.link = link
    return writer


def throw(writer: Writer, session: Session, body: bytes = b"body") -> None:
    assert session.throw(b"", body, 0.0)
    writer.written(len(body), BURST)


async def test_the_messages_of_a_turn_go_out_together(session: Session) -> None:
    link = Sink()
    writer = writer_to(session, link)
    throw(writer, session)
    throw(writer, session)
    assert link.writes == []
    await asyncio.sleep(0)
    assert len(link.writes) == 1
    await asyncio.sleep(0)
    assert len(link.writes) == 1


@pytest.mark.parametrize(("count", "body"), [(BURST, b"small"), (3, bytes(30_000))])
async def test_a_burst_goes_out_in_pieces(session: Session, count: int, body: bytes) -> None:
    link = Sink()
    writer = writer_to(session, link)
    for _ in range(count - 1):
        throw(writer, session, body)
    assert link.writes == []
    throw(writer, session, body)
    assert len(link.writes) == 1
    throw(writer, session)
    assert len(link.writes) == 1


async def test_what_is_written_while_reading_waits_for_its_end(session: Session) -> None:
    link = Sink()
    writer = writer_to(session, link)
    writer.held = True
    for _ in range(2 * BURST):
        throw(writer, session)
    await asyncio.sleep(0)
    assert link.writes == []
    writer.held = False
    writer.flush()
    assert len(link.writes) == 1


async def test_a_full_link_and_a_missing_one_get_nothing(session: Session) -> None:
    link = Sink(room=1)
    writer = writer_to(session, link)
    session.throw(b"", bytes(1 << 20), 0.0)
    writer.flush()
    assert len(link.writes) == 1
    writer.flush()
    assert len(link.writes) == 1
    link.writable = True
    writer.link = None
    writer.flush()
    assert len(link.writes) == 1


async def test_a_large_message_goes_piece_by_piece(session: Session) -> None:
    link = Sink()
    writer = writer_to(session, link)
    session.throw(b"", bytes(100_000), 0.0)
    writer.flush()
    assert [len(write) > 30_000 for write in link.writes[:3]] == [True, True, True]
    assert sum(map(len, link.writes)) > 100_000
