from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.exceptions import RemoteProtocolError
from communica_like.wire.greetings import (
    AUTHENTICATION,
    NO_SESSION,
    VERSION,
    Challenge,
    Hello,
    Reason,
    Welcome,
)
from communica_like.wire.limits import Limits

NONCE = bytes(range(32))
LIMITS = Limits(chunk=2048, heartbeat=1.5)
UINT64 = st.integers(0, (1 << 64) - 1)


@given(client_id=st.text(min_size=1, max_size=60), session=st.binary(min_size=16, max_size=16), count=UINT64)
def test_a_hello_arrives_as_it_was_sent(client_id: str, session: bytes, count: int) -> None:
    hello = Hello(client_id, LIMITS, NONCE, session, count)
    assert Hello.decode(hello.encode()) == hello


def test_a_client_id_has_1_to_255_bytes() -> None:
    for client_id in ("x", "x" * 255, "\u20ac" * 85):
        assert Hello.decode(Hello(client_id, LIMITS, NONCE).encode()).client_id == client_id
    for client_id in ("", "x" * 256):
        with pytest.raises(RemoteProtocolError, match="HELLO of"):
            Hello.decode(Hello(client_id, LIMITS, NONCE).encode())


@pytest.mark.parametrize(
    "body", [b"", b"CMLK", b"CMLK\0\1\0", b"GET / HTTP/1.1\r\n", b"XMLK\0\1\0\1" + bytes(100)]
)
def test_what_does_not_begin_as_a_hello_is_none(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no greeting of this protocol"):
        Hello.decode(body)


def test_a_client_id_is_utf_8() -> None:
    with pytest.raises(RemoteProtocolError, match="UTF-8"):
        Hello.decode(Hello("x", LIMITS, NONCE).encode()[:-1] + b"\xff")


def test_of_a_hello_that_is_too_new_only_the_versions_are_read() -> None:
    hello = Hello.decode(b"CMLK" + (9).to_bytes(2, "big") + (VERSION + 1).to_bytes(2, "big"))
    assert (hello.version, hello.oldest) == (9, VERSION + 1)
    assert hello.session_id == NO_SESSION


def test_a_hello_of_a_client_that_speaks_newer_versions_too_is_read() -> None:
    hello = Hello("me", LIMITS, NONCE, version=9, oldest=VERSION)
    assert Hello.decode(hello.encode()) == hello


def test_impossible_limits_in_a_hello_are_refused() -> None:
    body = bytearray(Hello("x", LIMITS, NONCE).encode())
    body[Hello.HEAD.size : Hello.HEAD.size + 36] = bytes(36)
    with pytest.raises(RemoteProtocolError, match="impossible limits"):
        Hello.decode(bytes(body))


def test_a_challenge_is_a_nonce_and_a_proof() -> None:
    challenge = Challenge(NONCE, NONCE[::-1])
    assert challenge.encode() == NONCE + NONCE[::-1]
    assert Challenge.decode(challenge.encode()) == challenge
    for size in (0, 63, 65):
        with pytest.raises(RemoteProtocolError, match=f"CHALLENGE of {size} bytes"):
            Challenge.decode(bytes(size))


@given(version=st.integers(0, 0xFFFF), resumed=st.booleans(), count=UINT64)
def test_a_welcome_arrives_as_it_was_sent(version: int, resumed: bool, count: int) -> None:
    welcome = Welcome(version, resumed, NONCE[:16], count, LIMITS)
    assert Welcome.decode(welcome.encode()) == welcome


@pytest.mark.parametrize("size", [0, 26, 27, 62, 64])
def test_a_welcome_of_another_size_is_refused(size: int) -> None:
    body = Welcome(1, False, NONCE[:16], 0, LIMITS).encode() + b"x"
    with pytest.raises(RemoteProtocolError, match="bytes"):
        Welcome.decode(body[:size])


def test_a_reason_is_cut_at_1024_bytes_and_never_unreadable() -> None:
    reason = Reason(AUTHENTICATION, "no")
    assert Reason.decode(reason.code, reason.encode()) == reason
    assert Reason(0, "x" * 2000).encode() == b"x" * 1024
    assert Reason.decode(0, b"x" * 2000).text == "x" * 1024
    assert Reason.decode(5, b"a\xff") == Reason(5, "a\ufffd")
    assert Reason(0, "file \udc80").encode() == b"file \\udc80"
