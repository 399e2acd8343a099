"""Bytes of all kinds: nothing but the errors that were promised comes out, and little memory goes in."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.exceptions import HandshakeError, RemoteProtocolError
from communica_like.session import ClientHandshake, ServerHandshake, Session
from communica_like.session.events import BROKEN
from communica_like.wire.failure import Failure
from communica_like.wire.frames import (
    ABANDON,
    ACK,
    ACK_BODY,
    CANCEL,
    CONTINUE,
    GOODBYE,
    HEADER,
    HEADER_SIZE,
    HELLO,
    MORE,
    MORE_PREFIX,
    PING,
    REJECT,
    REQUEST,
    RESULT,
    THROW,
    WELCOME,
    control,
    split_frames,
)
from communica_like.wire.framing import FrameReader
from communica_like.wire.greetings import Challenge, Hello, Reason, Welcome
from communica_like.wire.limits import Limits

KIB = 1024
LIMITS = Limits(max_message=32 * KIB, window=70 * KIB, replay=8 * KIB, chunk=KIB, bulk_in_flight=1 << 20)
SESSION = bytes(range(16))
KINDS = st.one_of(st.integers(0, 40), st.integers(0, 255))


def live() -> Session:
    """Return a session in the midst of a conversation."""
    session = Session(LIMITS)
    session.establish(SESSION, LIMITS, 0.0)
    for number in range(1, 5):
        session.request(f"token {number}", b"", b"", 0.0)
    session.throw(b"", bytes(9 * KIB), 0.0)
    while session.data_to_send(0.0):
        pass
    return session


def conversation() -> bytes:
    """Return what a well-behaved peer sends to a session of ``live``."""
    peer = Session(LIMITS)
    peer.establish(SESSION, LIMITS, 0.0)
    peer.request("token", b"route", b"body", 0.0, 5.0)
    peer.request("token", b"route", bytes(3 * KIB), 0.0)
    peer.answer(1, b"yes")
    peer.fail(2, Failure(1, "no", 3, "traceback"))
    peer.answer(3, bytes(5 * KIB))
    data = peer.data_to_send(0.0)
    peer.throw(b"route", b"body", 0.0)
    peer.throw(b"", bytes(2 * KIB), 0.0)
    peer.cancel(1)
    peer.cancel(2)
    peer.ask_for_ack()
    while more := peer.data_to_send(0.0):
        data += more
    peer.say_goodbye(Reason(0, "bye"))
    return data + peer.data_to_send(0.0) + control(ACK, ACK_BODY.pack(1 << 20, 1 << 20), 5)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Frames whose fields are likely to mean something."""
    number = st.one_of(st.integers(0, 4), st.integers(0, (1 << 64) - 1))
    payload = draw(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([b"", bytes(KIB), bytes(KIB + 12), bytes(KIB + 13)]),
            st.builds(
                lambda stream, total, size: MORE_PREFIX.pack(stream, total) + bytes(size),
                st.integers(0, 3),
                st.sampled_from([0, 1, KIB, KIB + 1, 2 * KIB, 32 * KIB, 1 << 40, (1 << 64) - 1]),
                st.sampled_from([0, 1, KIB - 1, KIB]),
            ),
            st.builds(ACK_BODY.pack, number, number),
        )
    )
    length = draw(st.sampled_from([len(payload)] * 9 + [0, 0xFFFFFFFF]))
    flags = draw(st.sampled_from([0, 0, 0, MORE, MORE, 2, 0xFF]))
    route_size = draw(st.sampled_from([0, 0, 0, 1, 5, 0xFFFF]))
    arg = draw(st.integers(0, 0xFFFFFFFF))
    return HEADER.pack(length, draw(KINDS), flags, route_size, draw(number), arg) + payload


@st.composite
def mutated(draw: st.DrawFn, original: Callable[[], bytes]) -> bytes:
    """A valid stream with some bytes changed, removed, doubled or moved."""
    data = bytearray(original())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 30)))
        change = draw(st.sampled_from(["change", "remove", "double", "insert"]))
        if change == "change":
            data[start : start + 1] = draw(st.binary(min_size=1, max_size=1))
        elif change == "remove":
            del data[start:end]
        elif change == "double":
            data[start:start] = data[start:end]
        else:
            data[start:start] = draw(st.binary(max_size=8))
    return bytes(data)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def survive(session: Session, data: bytes, size: int) -> None:
    """Take everything; whatever that is, the session goes on working or is BROKEN."""
    for piece in pieces(data, size):
        events = session.receive(piece, 1.0)
        for kind, subject, _, _, _ in events:
            if kind == BROKEN:
                assert isinstance(subject, RemoteProtocolError)
                assert events[-1][0] == BROKEN
                session.end(keep=True)
                return
    session.data_to_send(1.0)
    session.tick(2.0)
    session.lose_link(2.0)
    session.end(keep=True)


@given(st.binary(max_size=200), st.integers(1, 200))
def test_a_session_survives_random_bytes(data: bytes, size: int) -> None:
    survive(live(), data, size)


@given(st.lists(frames(), max_size=8).map(b"".join), st.integers(1, 3000))
def test_a_session_survives_random_frames(data: bytes, size: int) -> None:
    survive(live(), data, size)


@given(mutated(conversation), st.integers(1, 20_000))
def test_a_session_survives_mutated_conversations(data: bytes, size: int) -> None:
    survive(live(), data, size)


def test_the_conversation_to_be_mutated_is_a_good_one() -> None:
    session = live()
    events = session.receive(conversation(), 1.0)
    assert [event[0] for event in events if event[0] == BROKEN] == []
    assert {event[0] for event in events} >= {REQUEST, THROW, RESULT, CANCEL, GOODBYE}
    assert len(session.pending) == 1


def greetings() -> bytes:
    return ClientHandshake("me", LIMITS, b"key").outgoing + control(34, bytes(32))


def welcomes() -> bytes:
    server = ServerHandshake(LIMITS, b"key")
    server.receive(ClientHandshake("me", LIMITS, None).outgoing)
    reject = control(REJECT, Reason(1, "no").encode(), arg=1)
    return server.outgoing + control(WELCOME, Welcome(1, False, SESSION, 0, LIMITS).encode()) + reject


def shake(handshake: ClientHandshake | ServerHandshake, data: bytes, size: int) -> None:
    try:
        for piece in pieces(data, size):
            handshake.receive(piece)
    except (HandshakeError, RemoteProtocolError):
        pass
    assert len(handshake.outgoing) < 4096


HANDSHAKES: list[Callable[[], ClientHandshake | ServerHandshake]] = [
    lambda: ClientHandshake("me", LIMITS, None),
    lambda: ClientHandshake("me", LIMITS, b"key", SESSION, 5),
    lambda: ServerHandshake(LIMITS, None),
    lambda: ServerHandshake(LIMITS, b"key"),
]
STREAMS = st.one_of(
    st.binary(max_size=200),
    st.lists(frames(), max_size=4).map(b"".join),
    mutated(greetings),
    mutated(welcomes),
)


@pytest.mark.parametrize("number", range(len(HANDSHAKES)))
@given(data=STREAMS, size=st.integers(1, 500))
def test_a_handshake_survives_anything(number: int, data: bytes, size: int) -> None:
    shake(HANDSHAKES[number](), data, size)


@given(STREAMS, st.integers(1, 500), st.integers(0, 100))
def test_a_frame_reader_survives_anything(data: bytes, size: int, limit: int) -> None:
    reader = FrameReader(limit)
    try:
        for piece in pieces(data, size):
            reader.feed(piece)
            while (frame := reader.next_frame()) is not None:
                assert len(frame[2]) <= limit
    except RemoteProtocolError:
        pass


DECODERS: list[Callable[[bytes], object]] = [
    Hello.decode,
    Challenge.decode,
    Welcome.decode,
    Limits.decode,
    split_frames,
    lambda body: Failure.decode(1, body).exception(),
    lambda body: Reason.decode(1, body),
]
VALID_BODIES = [
    Hello("me", LIMITS, bytes(32)).encode(),
    Challenge(bytes(32), bytes(32)).encode(),
    Welcome(1, True, SESSION, 0, LIMITS).encode(),
    LIMITS.encode(),
    control(PING) + control(RESULT, b"abc"),
    Failure(1, "message", 2, "traceback").encode(),
    b"text",
]
BODIES = st.one_of(
    st.binary(max_size=300), st.sampled_from(VALID_BODIES).flatmap(lambda body: mutated(lambda: body))
)


@pytest.mark.parametrize("number", range(len(DECODERS)))
@given(body=BODIES)
def test_a_decoder_gives_a_result_or_a_protocol_error(number: int, body: bytes) -> None:
    try:
        assert DECODERS[number](body) is not None
    except RemoteProtocolError:
        pass


def test_all_decoders_take_their_own_kind() -> None:
    for decode, body in zip(DECODERS, VALID_BODIES, strict=True):
        assert decode(body) is not None


# -- memory


def peak(work: Callable[[], object]) -> int:
    """Return how many bytes *work* needed at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_sizes_that_are_only_claimed_cost_nothing() -> None:
    header = HEADER.pack(0xFFFFFFFF, REQUEST, 0, 0, 1, 0)
    session, reader = live(), FrameReader(4096)
    server, client = ServerHandshake(LIMITS, None), ClientHandshake("me", LIMITS, None)
    body = bytes(13)[:9] + b"\xff\xff\xff\xff" + b"text"

    def refuse() -> None:
        assert session.receive(header, 0.0)[-1][0] == BROKEN
        reader.feed(header)
        for attempt in (
            reader.next_frame,
            lambda: server.receive(header),
            lambda: client.receive(header),
            lambda: split_frames(header),
        ):
            with pytest.raises(RemoteProtocolError):
                attempt()
        assert Failure.decode(1, body).message == "text"

    assert peak(refuse) < 200 * KIB


def test_a_large_message_costs_what_has_come_and_not_what_was_announced() -> None:
    limits = Limits(max_message=1 << 40)
    session = Session(limits)
    session.establish(SESSION, limits, 0.0)
    first = MORE_PREFIX.pack(1, 1 << 40) + bytes(KIB)
    data = HEADER.pack(len(first), THROW, MORE, 0, 0, 0) + first
    assert peak(lambda: session.receive(data, 0.0)) < 200 * KIB
    assert session.received == 1


def test_pieces_of_all_streams_cost_little_more_than_they_hold() -> None:
    session = live()
    stream = b"".join(
        HEADER.pack(12 + KIB, RESULT if number % 2 else REQUEST, MORE, 0, number, 0)
        + MORE_PREFIX.pack(number, 4 * KIB)
        + bytes(KIB)
        + HEADER.pack(KIB, CONTINUE, MORE, 0, number, 0)
        + bytes(KIB)
        for number in range(16)
    )
    assert peak(lambda: session.receive(stream, 0.0)) < 4 * len(stream)
    # The smallest pieces would cost many times what they hold.
    assert session.receive(HEADER.pack(1, CONTINUE, MORE, 0, 3, 0) + b"x", 0.0)[-1][0] == BROKEN


def test_a_peer_that_asks_and_takes_back_forever_leaves_nothing_behind() -> None:
    session = live()
    first = MORE_PREFIX.pack(1, 32 * KIB) + bytes(KIB)
    cycle = (
        HEADER.pack(len(first), THROW, MORE, 0, 0, 0)
        + first
        + control(ABANDON, ident=1)
        + control(RESULT, bytes(100), 99)
        + control(PING)
        + control(25, bytes(100))
    )

    def flood() -> None:
        for _ in range(150):
            assert session.receive(cycle, 0.0) == []
            assert len(session.data_to_send(0.0)) == HEADER_SIZE + ACK_BODY.size

    session.data_to_send(0.0)
    assert peak(flood) < 200 * KIB


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(4))
def test_a_session_survives_many_mutated_conversations(seed: int) -> None:
    random = Random(seed)
    original = conversation()
    for _ in range(20_000):
        data = bytearray(original)
        for _ in range(random.randint(1, 5)):
            data[random.randrange(len(data))] = random.randrange(256)
        survive(live(), bytes(data), random.randint(1, len(data)))


def test_a_hello_of_any_kind_is_answered_or_refused() -> None:
    for version in (0, 1, 2, 0xFFFF):
        for oldest in (0, 1, 2, 0xFFFF):
            hello = Hello("me", LIMITS, bytes(32), version=version, oldest=oldest)
            shake(ServerHandshake(LIMITS, b"key"), control(HELLO, hello.encode()), 100)
