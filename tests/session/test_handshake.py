from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like.exceptions import (
    AuthenticationError,
    ClientIdInUse,
    HandshakeError,
    LocalProtocolError,
    RemoteProtocolError,
    VersionMismatch,
)
from communica_like.session.handshake import ClientHandshake, ServerHandshake, error_for
from communica_like.wire.frames import (
    CHALLENGE,
    GOODBYE,
    HEADER_SIZE,
    HELLO,
    PING,
    PROOF,
    REJECT,
    WELCOME,
    control,
    split_frames,
)
from communica_like.wire.greetings import (
    AUTHENTICATION,
    CLIENT_ID_IN_USE,
    NO_SESSION,
    OTHER,
    REPLACED,
    UNSUPPORTED_VERSION,
    Challenge,
    Hello,
    Reason,
    Welcome,
)
from communica_like.wire.limits import Limits

LIMITS = Limits(chunk=2048)
SERVER_LIMITS = Limits(chunk=4096)
SESSION = bytes(range(16))


def taken(handshake: ClientHandshake | ServerHandshake) -> bytes:
    data, handshake.outgoing = handshake.outgoing, b""
    return data


def kinds(data: bytes) -> list[int]:
    return [frame[0] for frame in split_frames(data)]


def greet(client: ClientHandshake, server: ServerHandshake) -> None:
    """Pass bytes to and fro until the server has its HELLO."""
    while client.outgoing or server.outgoing:
        server.receive(taken(client))
        client.receive(taken(server))


def hello(**changes: int) -> bytes:
    return control(HELLO, Hello("me", LIMITS, bytes(32), **changes).encode())  # type: ignore[arg-type]


@pytest.mark.parametrize("authkey", [None, b"", b"secret"])
def test_two_sides_with_the_same_authkey_agree(authkey: bytes | None) -> None:
    client = ClientHandshake("me", LIMITS, authkey)
    server = ServerHandshake(SERVER_LIMITS, authkey)
    greet(client, server)
    assert server.hello is not None
    assert (server.hello.client_id, server.hello.limits) == ("me", LIMITS)
    assert server.hello.session_id == NO_SESSION
    assert client.welcome is None
    server.accept(SESSION, resumed=False, received=0)
    client.receive(taken(server))
    assert client.welcome == Welcome(1, False, SESSION, 0, SERVER_LIMITS)


def test_a_session_is_resumed_where_both_sides_are() -> None:
    client = ClientHandshake("me", LIMITS, None, SESSION, 7)
    server = ServerHandshake(SERVER_LIMITS, None)
    greet(client, server)
    assert server.hello is not None
    assert (server.hello.session_id, server.hello.received) == (SESSION, 7)
    server.accept(SESSION, resumed=True, received=9)
    client.receive(taken(server))
    assert client.welcome is not None
    assert (client.welcome.resumed, client.welcome.received) == (True, 9)


@given(st.lists(st.integers(1, 200)))
def test_it_does_not_matter_how_the_bytes_are_cut(sizes: list[int]) -> None:
    client = ClientHandshake("me", LIMITS, b"key")
    server = ServerHandshake(SERVER_LIMITS, b"key")
    accepted = False

    def pass_on(data: bytes, receive: Callable[[bytes], None]) -> None:
        while data:
            size = sizes.pop() if sizes else len(data)
            receive(data[:size])
            data = data[size:]

    while client.welcome is None:
        pass_on(taken(client), server.receive)
        if server.hello is not None and not accepted:
            accepted = True
            server.accept(SESSION, resumed=False, received=0)
        pass_on(taken(server) + b"more" * (server.hello is not None), client.receive)
    assert client.rest() == b"more"


def test_bytes_that_follow_are_handed_over() -> None:
    client = ClientHandshake("me", LIMITS, None)
    server = ServerHandshake(LIMITS, None)
    server.receive(taken(client) + b"early bird")
    assert server.rest() == b"early bird"
    server.accept(SESSION, resumed=False, received=0)
    client.receive(taken(server) + control(PING))
    assert client.rest() == control(PING)


def test_both_proofs_are_hmacs_over_everything_that_was_said() -> None:
    client = ClientHandshake("me", LIMITS, b"key")
    server = ServerHandshake(LIMITS, b"key")
    first = taken(client)
    server.receive(first)
    reply = taken(server)
    client.receive(reply)
    said = first[HEADER_SIZE:]
    challenge = Challenge.decode(reply[HEADER_SIZE:])
    for side, proof in ((b"server", challenge.proof), (b"client", taken(client)[HEADER_SIZE:])):
        message = b"communica_like " + side + said + challenge.nonce
        assert proof == hmac.new(b"key", message, hashlib.sha256).digest()


def test_nonces_are_fresh() -> None:
    assert taken(ClientHandshake("me", LIMITS, None)) != taken(ClientHandshake("me", LIMITS, None))
    challenges = []
    for _ in range(2):
        server = ServerHandshake(LIMITS, b"key")
        server.receive(hello())
        challenges.append(Challenge.decode(taken(server)[HEADER_SIZE:]).nonce)
    assert challenges[0] != challenges[1]


# -- no agreement


def test_a_client_finds_out_that_the_server_does_not_know_its_key() -> None:
    client = ClientHandshake("me", LIMITS, b"mine")
    server = ServerHandshake(LIMITS, b"another")
    server.receive(taken(client))
    with pytest.raises(AuthenticationError, match="does not know this client's authkey"):
        client.receive(taken(server))
    # It proves nothing to such a server, but says why it leaves.
    last_word = taken(client)
    assert kinds(last_word) == [REJECT]
    with pytest.raises(AuthenticationError, match="another authkey"):
        server.receive(last_word)
    assert server.hello is None


def test_a_server_turns_away_who_cannot_prove_the_key() -> None:
    server = ServerHandshake(LIMITS, b"key")
    server.receive(hello())
    assert kinds(taken(server)) == [CHALLENGE]
    with pytest.raises(AuthenticationError, match="does not know the authkey"):
        server.receive(control(PROOF, bytes(32)))
    client = ClientHandshake("me", LIMITS, b"key")
    with pytest.raises(AuthenticationError, match="the authkeys differ"):
        client.receive(taken(server))
    assert server.hello is None


def test_the_servers_own_proof_is_no_proof_of_a_client() -> None:
    server = ServerHandshake(LIMITS, b"key")
    server.receive(hello())
    challenge = Challenge.decode(taken(server)[HEADER_SIZE:])
    with pytest.raises(AuthenticationError):
        server.receive(control(PROOF, challenge.proof))


def test_an_authkey_on_one_side_only_is_an_error() -> None:
    keyless = ClientHandshake("me", LIMITS, None)
    server = ServerHandshake(LIMITS, b"key")
    server.receive(taken(keyless))
    with pytest.raises(AuthenticationError, match="this client has none"):
        keyless.receive(taken(server))

    client = ClientHandshake("me", LIMITS, b"key")
    open_server = ServerHandshake(LIMITS, None)
    open_server.receive(taken(client))
    open_server.accept(SESSION, resumed=False, received=0)
    with pytest.raises(AuthenticationError, match="the server asks for none"):
        client.receive(taken(open_server))
    assert client.welcome is None
    # The server has let it in, and is told that it leaves.
    assert [(frame[0], frame[4]) for frame in split_frames(taken(client))] == [(GOODBYE, AUTHENTICATION)]


@pytest.mark.parametrize("version, oldest", [(3, 2), (0, 0)])
def test_a_server_turns_away_who_speaks_no_version_of_its_own(version: int, oldest: int) -> None:
    server = ServerHandshake(LIMITS, b"key")
    with pytest.raises(VersionMismatch, match=f"the client speaks versions {oldest} to {version}"):
        server.receive(hello(version=version, oldest=oldest))
    client = ClientHandshake("me", LIMITS, None)
    with pytest.raises(VersionMismatch, match="the server 1 to 1"):
        client.receive(taken(server))


def test_a_client_that_speaks_newer_versions_too_is_welcome() -> None:
    server = ServerHandshake(LIMITS, None)
    server.receive(hello(version=7, oldest=1))
    server.accept(SESSION, resumed=False, received=0)
    ((_, _, _, _, _, body),) = split_frames(taken(server))
    assert Welcome.decode(body).version == 1


@pytest.mark.parametrize("version", [0, 2])
def test_a_client_takes_no_version_that_it_does_not_speak(version: int) -> None:
    client = ClientHandshake("me", LIMITS, None)
    with pytest.raises(VersionMismatch, match=f"the server chose version {version}"):
        client.receive(control(WELCOME, Welcome(version, False, SESSION, 0, LIMITS).encode()))


@pytest.mark.parametrize("asked_for", [NO_SESSION, SESSION[::-1]])
def test_a_client_resumes_only_what_it_asked_for(asked_for: bytes) -> None:
    client = ClientHandshake("me", LIMITS, None, asked_for)
    with pytest.raises(RemoteProtocolError, match="not asked for"):
        client.receive(control(WELCOME, Welcome(1, True, SESSION, 0, LIMITS).encode()))


@pytest.mark.parametrize(
    "code, error_type",
    [
        (OTHER, HandshakeError),
        (UNSUPPORTED_VERSION, VersionMismatch),
        (AUTHENTICATION, AuthenticationError),
        (CLIENT_ID_IN_USE, ClientIdInUse),
        (REPLACED, ClientIdInUse),
        (1000, HandshakeError),
    ],
)
def test_a_reason_becomes_an_exception(code: int, error_type: type[HandshakeError]) -> None:
    error = error_for(Reason(code, "because"))
    assert type(error) is error_type
    assert str(error) == "because"
    server = ServerHandshake(LIMITS, None)
    server.reject(Reason(code, "because"))
    client = ClientHandshake("me", LIMITS, None)
    with pytest.raises(error_type, match="because"):
        client.receive(taken(server))


# -- out of turn


@pytest.mark.parametrize("kind", [PING, HELLO, PROOF, 0, 255])
def test_a_client_takes_no_other_frames(kind: int) -> None:
    client = ClientHandshake("me", LIMITS, None)
    with pytest.raises(RemoteProtocolError, match=f"a frame of kind {kind} during the handshake"):
        client.receive(control(kind))


@pytest.mark.parametrize("kind", [PING, PROOF, CHALLENGE, WELCOME, 0, 255])
def test_a_server_takes_no_other_frames(kind: int) -> None:
    server = ServerHandshake(LIMITS, b"key")
    with pytest.raises(RemoteProtocolError, match=f"a frame of kind {kind} during the handshake"):
        server.receive(control(kind))


def test_a_server_takes_one_hello() -> None:
    server = ServerHandshake(LIMITS, b"key")
    server.receive(hello())
    with pytest.raises(RemoteProtocolError, match="during the handshake"):
        server.receive(hello())


def test_a_frame_longer_than_any_greeting_is_refused() -> None:
    for handshake in (ServerHandshake(LIMITS, None), ClientHandshake("me", LIMITS, None)):
        with pytest.raises(RemoteProtocolError, match="at most 4096 are allowed"):
            handshake.receive(control(HELLO, bytes(4097))[:HEADER_SIZE])


def test_a_server_accepts_nobody_before_the_hello_is_complete() -> None:
    server = ServerHandshake(LIMITS, b"key")
    server.receive(hello())
    with pytest.raises(LocalProtocolError, match="no complete HELLO"):
        server.accept(SESSION, resumed=False, received=0)
