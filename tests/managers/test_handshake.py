"""How both ends of a manager's connection prove that they know the key: ours, and multiprocessing's own."""

from __future__ import annotations

import hmac
import socket
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import answer_challenge, deliver_challenge
from typing import Any

import pytest

from communica_like.managers import handshake
from communica_like.managers.connection import SocketConnection
from communica_like.managers.handshake import NotAManager, greet_client, greet_server

PATIENCE = 20.0

Pair = tuple[SocketConnection, SocketConnection]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = (SocketConnection(each) for each in socket.socketpair())
    for each in (ours, theirs):
        each.limit(PATIENCE)
    yield ours, theirs
    ours.close()
    theirs.close()


class Other:
    """What the other end does, in a thread; its error, if any."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.error: BaseException | None = None
        self.result: Any = None
        self._call = call
        self._arguments = arguments
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._call(*self._arguments)
        except BaseException as exc:
            self.error = exc

    def join(self) -> BaseException | None:
        self._thread.join(PATIENCE)
        return self.error


def stock_server(connection: SocketConnection, key: bytes) -> None:
    deliver_challenge(connection, key)
    answer_challenge(connection, key)


def stock_client(connection: SocketConnection, key: bytes) -> None:
    answer_challenge(connection, key)
    deliver_challenge(connection, key)


def modern_client(connection: SocketConnection, key: bytes) -> None:
    """As Python 3.12 and later do it: the digest is named, and signed."""
    asked = connection.recv_bytes(256).removeprefix(b"#CHALLENGE#")
    assert asked.startswith(b"{sha256}")
    connection.send_bytes(b"{sha256}" + hmac.digest(key, asked, "sha256"))
    if connection.recv_bytes(256) != b"#WELCOME#":
        raise AuthenticationError
    deliver_challenge(connection, key)


def modern_server(connection: SocketConnection, key: bytes) -> None:
    deliver_challenge(connection, key)
    asked = connection.recv_bytes(256).removeprefix(b"#CHALLENGE#")
    assert asked.startswith(b"{sha256}")
    connection.send_bytes(b"{sha256}" + hmac.digest(key, asked, "sha256"))
    if connection.recv_bytes(256) != b"#WELCOME#":
        raise AuthenticationError


KEYS = [(b"key", b"key", True), (b"", b"", True), (b"key", b"other", False), (b"key", b"", False)]


@pytest.mark.parametrize("ours, theirs, same", KEYS)
def test_our_ends(pair: Pair, ours: bytes, theirs: bytes, same: bool) -> None:
    server = Other(greet_client, pair[1], theirs)
    if same:
        assert greet_server(pair[0], ours, foreign=False)
        assert server.join() is None
    else:
        with pytest.raises(AuthenticationError):
            greet_server(pair[0], ours, foreign=True)
        assert isinstance(server.join(), AuthenticationError)


@pytest.mark.parametrize("client", [stock_client, modern_client])
@pytest.mark.parametrize("ours, theirs, same", KEYS)
def test_another_programs_client(
    pair: Pair, client: Callable[..., None], ours: bytes, theirs: bytes, same: bool
) -> None:
    other = Other(client, pair[1], theirs)
    if same:
        greet_client(pair[0], ours)
        assert other.join() is None
    else:
        with pytest.raises(AuthenticationError):
            greet_client(pair[0], ours)
        assert isinstance(other.join(), AuthenticationError)


def test_a_client_that_asks_in_our_name_gets_no_answer(pair: Pair) -> None:
    other = Other(greet_client, pair[0], b"key")
    answer_challenge(pair[1], b"key")
    pair[1].send_bytes(handshake._FROM_CLIENT + bytes(32))
    assert isinstance(other.join(), NotAManager)
    pair[0].close()
    with pytest.raises((EOFError, ConnectionError)):
        pair[1].recv_bytes()


def test_a_digest_that_this_system_does_not_have(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(connection: Any, authkey: bytes) -> None:
        raise ValueError("unsupported hash type")

    monkeypatch.setattr(handshake, "answer_challenge", lacks)
    pair[1].send_bytes(b"#CHALLENGE#" + bytes(20))
    with pytest.raises(NotAManager, match="unsupported hash type"):
        greet_server(pair[0], b"key", foreign=True)


@pytest.mark.parametrize("server", [stock_server, modern_server])
@pytest.mark.parametrize("ours, theirs, same", KEYS)
def test_another_programs_server(
    pair: Pair, server: Callable[..., None], ours: bytes, theirs: bytes, same: bool
) -> None:
    other = Other(server, pair[1], theirs)
    if same:
        assert not greet_server(pair[0], ours, foreign=True)
        assert other.join() is None
    else:
        with pytest.raises(AuthenticationError):
            greet_server(pair[0], ours, foreign=True)
        assert isinstance(other.join(), AuthenticationError)


def test_another_programs_server_where_it_is_not_welcome(pair: Pair) -> None:
    other = Other(stock_server, pair[1], b"key")
    with pytest.raises(NotAManager, match="another program's"):
        greet_server(pair[0], b"key", foreign=False)
    pair[0].close()
    assert other.join() is not None


@pytest.mark.parametrize("challenge", [
    b"",
    b"hello",
    handshake._FROM_CLIENT + bytes(32),  # what a client of ours asks
    handshake._FROM_SERVER + bytes(31),
    b"#CHALLENGE#" + handshake._FROM_SERVER + bytes(32),
    b"#CHALLENGE#" + handshake._MARK + b" server proves" + bytes(64),
])  # fmt: skip
def test_what_is_not_answered(pair: Pair, challenge: bytes) -> None:
    pair[1].send_bytes(challenge)
    with pytest.raises(NotAManager):
        greet_server(pair[0], b"key", foreign=True)
    pair[0].close()
    with pytest.raises((EOFError, ConnectionError)):
        pair[1].recv_bytes()


def test_a_client_asks_what_no_client_of_ours_answers(pair: Pair) -> None:
    asking = Other(lambda: greet_server(pair[1], b"key", foreign=True))
    pair[0].send_bytes(b"#CHALLENGE#" + bytes(20))
    pair[0].recv_bytes()
    pair[0].send_bytes(b"#WELCOME#")
    question = pair[0].recv_bytes()
    second = tuple(SocketConnection(each) for each in socket.socketpair())
    second[1].send_bytes(question)
    with pytest.raises(NotAManager):
        greet_server(second[0], b"key", foreign=True)
    for each in second:
        each.close()
    pair[0].send_bytes(b"wrong")
    assert isinstance(asking.join(), AuthenticationError)


@pytest.mark.parametrize("answer", [b"", b"#WELCOME#", handshake._PROOF, handshake._PROOF + bytes(32)])
def test_a_server_that_does_not_prove_itself(pair: Pair, answer: bytes) -> None:
    pair[1].send_bytes(handshake._FROM_SERVER + bytes(32))
    client = Other(lambda: greet_server(pair[0], b"key", foreign=True))
    proof = pair[1].recv_bytes()
    assert proof.startswith(handshake._PROOF)
    pair[1].send_bytes(answer)
    assert isinstance(client.join(), AuthenticationError)


@pytest.mark.parametrize("answer", [b"", handshake._PROOF, handshake._PROOF + bytes(64), b"{md5}"])
def test_a_client_that_does_not_prove_itself(pair: Pair, answer: bytes) -> None:
    server = Other(greet_client, pair[0], b"key")
    pair[1].recv_bytes()
    pair[1].send_bytes(answer)
    assert isinstance(server.join(), AuthenticationError)
    assert pair[1].recv_bytes() == b"#FAILURE#"


def test_a_slow_end_does_not_gain_time_by_bits(pair: Pair) -> None:
    pair[0].limit(0.2)
    client = Other(lambda: greet_server(pair[0], b"key", foreign=True))
    began = time.monotonic()
    pair[1].socket.sendall(b"\0\0")
    assert client.join() is not None
    assert isinstance(client.error, TimeoutError | BlockingIOError)
    assert time.monotonic() - began < PATIENCE
