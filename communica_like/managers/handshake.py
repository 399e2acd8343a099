"""The handshake: both ends prove that they know the key, before they load a pickle."""

from __future__ import annotations

import hmac
import itertools
import secrets
from multiprocessing import AuthenticationError
from multiprocessing.connection import answer_challenge
from types import SimpleNamespace
from typing import Any, Final

from .connection import SocketConnection

# multiprocessing.connection's own. Its messages have 256 bytes at most.
_CHALLENGE: Final = b"#CHALLENGE#"
_WELCOME: Final = b"#WELCOME#"
_FAILURE: Final = b"#FAILURE#"
_DIGEST: Final = b"{sha256}"  # Python 3.12 and later answer with this one, earlier ones with MD5
_MOST: Final = 256

# In all that is ours. What is signed begins with it: no version of multiprocessing signs such a thing with
# SHA-256.
_MARK: Final = b"communica_like/1"
_FROM_SERVER: Final = _CHALLENGE + _DIGEST + _MARK + b" server "
_FROM_CLIENT: Final = _CHALLENGE + _DIGEST + _MARK + b" client "
_PROOF: Final = _MARK + b" proof "
_NONCE: Final = 32


class NotAManager(Exception):
    """The other end speaks no manager's handshake, or not one that is wanted here."""


def greet_client(connection: SocketConnection, authkey: bytes) -> None:
    """Do the server's part, for a client of ours or another program's.

    Raises:
        AuthenticationError: multiprocessing's; the client does not know the key.
        NotAManager, AssertionError: the client does not speak the protocol.
        EOFError, OSError: it is too slow, or gone.
    """
    mine = secrets.token_bytes(_NONCE)
    challenge = _FROM_SERVER + mine
    connection.send_bytes(challenge)
    answer = connection.recv_bytes(_MOST)
    if answer.startswith(_PROOF):
        theirs, proof = answer[len(_PROOF) :][:_NONCE], answer[len(_PROOF) + _NONCE :]
        if not hmac.compare_digest(proof, _prove(authkey, b"client", mine, theirs)):
            connection.send_bytes(_FAILURE)
            raise AuthenticationError("a client's proof is wrong")
        connection.send_bytes(_PROOF + _prove(authkey, b"server", mine, theirs))
    else:
        _check_answer(connection, authkey, challenge, answer)
        _answer(connection, authkey, connection.recv_bytes(_MOST))


def greet_server(connection: SocketConnection, authkey: bytes, *, foreign: bool) -> bool:
    """Do the client's part; return whether the server is one of ours.

    Args:
        foreign: whether another program's server is welcome, too.

    Raises:
        AuthenticationError: multiprocessing's; the server does not know the key.
        NotAManager: it is no manager's server, or not a welcome one.
        EOFError, OSError: it is too slow, or gone.
    """
    first = connection.recv_bytes(_MOST)
    if first.startswith(_FROM_SERVER) and len(first) == len(_FROM_SERVER) + _NONCE:
        theirs, mine = first[len(_FROM_SERVER) :], secrets.token_bytes(_NONCE)
        connection.send_bytes(_PROOF + mine + _prove(authkey, b"client", theirs, mine))
        answer = connection.recv_bytes(_MOST)
        if not hmac.compare_digest(answer, _PROOF + _prove(authkey, b"server", theirs, mine)):
            raise AuthenticationError("the server's proof is wrong")
        return True
    if not foreign and first.startswith(_CHALLENGE) and _MARK not in first:
        raise NotAManager("it is another program's manager")
    _answer(connection, authkey, first)
    challenge = _FROM_CLIENT + secrets.token_bytes(_NONCE)
    connection.send_bytes(challenge)
    _check_answer(connection, authkey, challenge, connection.recv_bytes(_MOST))
    return False


def _answer(connection: SocketConnection, authkey: bytes, challenge: bytes) -> None:
    """Answer a challenge of multiprocessing's protocol, unless it bears a mark; hear the reply."""
    if not challenge.startswith(_CHALLENGE) or _MARK in challenge:
        raise NotAManager(f"it says {challenge[:40]!r}")
    messages = itertools.chain([challenge], iter(lambda: connection.recv_bytes(_MOST), None))
    replay: Any = SimpleNamespace(recv_bytes=lambda most: next(messages), send_bytes=connection.send_bytes)
    try:
        answer_challenge(replay, authkey)
    except ValueError as exc:  # where there is no MD5
        raise NotAManager(f"it wants a digest that this system does not have: {exc}") from exc


def _check_answer(connection: SocketConnection, authkey: bytes, challenge: bytes, answer: bytes) -> None:
    """Check an answer to a challenge of multiprocessing's protocol, and reply to it."""
    asked = challenge[len(_CHALLENGE) :]
    expected = {_DIGEST + hmac.digest(authkey, asked, "sha256")}
    try:
        expected.add(hmac.digest(authkey, asked, "md5"))
    except ValueError:
        pass  # this system has no MD5
    right = [hmac.compare_digest(answer, each) for each in expected]
    connection.send_bytes(_WELCOME if any(right) else _FAILURE)
    if not any(right):
        raise AuthenticationError("the answer to a challenge is wrong")


def _prove(authkey: bytes, role: bytes, server: bytes, client: bytes) -> bytes:
    return hmac.digest(authkey, b"%b %b proves%b%b" % (_MARK, role, server, client), "sha256")
