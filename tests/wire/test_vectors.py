"""The vectors that other implementations can test themselves with, too: bytes <-> meaning."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from communica_like.exceptions import HandshakeError, RemoteProtocolError
from communica_like.session import ClientHandshake, Event, ServerHandshake, Session
from communica_like.session.events import BROKEN
from communica_like.wire import frames
from communica_like.wire.failure import Failure
from communica_like.wire.frames import HEADER, HEADER_SIZE, LAST_SEQUENCED, control, split_frames
from communica_like.wire.greetings import Challenge, Hello, Reason, Welcome
from communica_like.wire.limits import Limits

Vector = dict[str, Any]

FOLDER = Path(__file__).parent.parent / "vectors"
SESSION = bytes(range(16))


def read(name: str) -> list[Vector]:
    content = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert content["description"]
    vectors: list[Vector] = content["vectors"]
    for vector in vectors:
        assert vector["description"]
    return vectors


def vectors_of(name: str) -> pytest.MarkDecorator:
    vectors = read(name)
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def limits_in(values: Vector) -> Limits:
    return Limits(
        max_message=values["max_message"],
        window=values["window"],
        replay=values["replay"],
        chunk=values["chunk"],
        heartbeat=values["heartbeat_ms"] / 1000,
        resume_window=values["resume_window_ms"] / 1000,
    )


SMALL = next(limits_in(vector["limits"]) for vector in read("limits") if vector["name"] == "small")


def fresh_session() -> Session:
    session = Session(SMALL)
    session.establish(SESSION, SMALL, 0.0)
    return session


def test_every_file_is_read_here() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {
        "failures",
        "frames",
        "greetings",
        "invalid",
        "limits",
        "messages",
        "proofs",
    }


@vectors_of("frames")
def test_frames(vector: Vector) -> None:
    data = bytes.fromhex(vector["bytes"])
    frame = vector["frame"]
    kind = getattr(frames, frame["kind"]) if isinstance(frame["kind"], str) else frame["kind"]
    route, body = frame["route"].encode(), bytes.fromhex(frame["body"])
    payload = route + body
    fields = (kind, frame["flags"], len(route), frame["ident"], frame["arg"])
    assert HEADER.pack(len(payload), *fields) + payload == data
    assert split_frames(data) == [(*fields, payload)]


def test_there_is_a_frame_of_every_kind() -> None:
    greetings = {vector["frame"] for vector in read("greetings")} | {"CHALLENGE", "PROOF"}
    kinds = {vector["frame"]["kind"] for vector in read("frames")} | greetings
    not_kinds = {"HEADER_SIZE", "LAST_SEQUENCED", "MAX_ROUTE", "MORE"}
    assert kinds - {31} == {
        name for name, value in vars(frames).items() if type(value) is int and name not in not_kinds
    }


@vectors_of("limits")
def test_limits(vector: Vector) -> None:
    data = bytes.fromhex(vector["bytes"])
    limits = limits_in(vector["limits"])
    assert limits.encode() == data
    assert Limits.decode(data) == limits


@vectors_of("greetings")
def test_greetings(vector: Vector) -> None:
    data = bytes.fromhex(vector["bytes"])
    ((kind, flags, route_size, ident, arg, body),) = split_frames(data)
    assert kind == getattr(frames, vector["frame"])
    assert (flags, route_size, ident, arg) == (0, 0, 0, vector["arg"])
    meaning: Hello | Welcome | Reason
    if "hello" in vector:
        values = vector["hello"]
        meaning = Hello(
            values["client_id"],
            limits_in(values["limits"]),
            bytes.fromhex(values["nonce"]),
            bytes.fromhex(values["session_id"]),
            values["received"],
            values["version"],
            values["oldest"],
        )
        assert Hello.decode(body) == meaning
    elif "welcome" in vector:
        values = vector["welcome"]
        meaning = Welcome(
            values["version"],
            values["resumed"],
            bytes.fromhex(values["session_id"]),
            values["received"],
            limits_in(values["limits"]),
        )
        assert Welcome.decode(body) == meaning
    else:
        meaning = Reason(vector["reason"]["code"], vector["reason"]["text"])
        assert Reason.decode(arg, body) == meaning
    assert control(kind, meaning.encode(), arg=arg) == data


@vectors_of("proofs")
def test_proofs(vector: Vector, monkeypatch: pytest.MonkeyPatch) -> None:
    authkey, hello, server_nonce, server_proof, client_proof = (
        bytes.fromhex(vector[name])
        for name in ("authkey", "hello_body", "server_nonce", "server_proof", "client_proof")
    )
    for side, proof in ((b"server", server_proof), (b"client", client_proof)):
        message = b"communica_like " + side + hello + server_nonce
        assert hmac.new(authkey, message, hashlib.sha256).digest() == proof

    meaning = Hello.decode(hello)
    monkeypatch.setattr("secrets.token_bytes", lambda _: server_nonce)
    server = ServerHandshake(Limits(), authkey)
    monkeypatch.setattr("secrets.token_bytes", lambda _: meaning.nonce)
    client = ClientHandshake(
        meaning.client_id, meaning.limits, authkey, meaning.session_id, meaning.received
    )
    assert client.outgoing[HEADER_SIZE:] == hello
    server.receive(client.outgoing)
    assert server.outgoing.hex() == vector["challenge_frame"]
    assert Challenge.decode(server.outgoing[HEADER_SIZE:]) == Challenge(server_nonce, server_proof)
    client.outgoing = b""
    client.receive(server.outgoing)
    assert client.outgoing.hex() == vector["proof_frame"]
    server.receive(client.outgoing)
    assert server.hello == meaning


@vectors_of("failures")
def test_failures(vector: Vector) -> None:
    body = bytes.fromhex(vector["bytes"])
    values = vector["failure"]
    failure = Failure(vector["arg"], values["message"], values["code"], values["traceback"])
    assert failure.encode() == body
    assert Failure.decode(vector["arg"], body) == failure


def call(session: Session, values: Vector) -> bytes:
    """Make the call; return what is written because of it."""
    route, body = values.get("route", "").encode(), bytes.fromhex(values.get("body", ""))
    what = values["call"]
    if what == "request":
        budget = values.get("budget_ms")
        session.request("token", route, body, 0.0, None if budget is None else budget / 1000)
    elif what == "throw":
        session.throw(route, body, 0.0)
    elif what == "answer":
        session.answer(values["ident"], body)
    elif what == "fail":
        session.fail(values["ident"], Failure(values["arg"], values["message"], values["code"]))
    elif what == "cancel":
        session.cancel(values["ident"])
    else:
        assert what == "write"
        return session.data_to_send(0.0)
    return b""


@vectors_of("messages")
def test_messages(vector: Vector) -> None:
    data = bytes.fromhex(vector["bytes"])
    sender, receiver = fresh_session(), fresh_session()
    written = b"".join([call(sender, values) for values in vector["calls"]])
    while more := sender.data_to_send(0.0):
        written += more
    assert written == data

    for ident in vector["pending"]:
        assert receiver.request(ident, b"", b"", 0.0) == ident
    expected: list[Event] = [
        (
            getattr(frames, event["kind"]),
            event["subject"],
            event["number"],
            event["route"].encode(),
            bytes.fromhex(event["body"]),
        )
        for event in vector["events"]
    ]
    assert receiver.receive(data, 0.0) == expected
    assert receiver.received == vector["sequenced_frames"] == len(split_frames(data))
    assert all(frame[0] <= LAST_SEQUENCED for frame in split_frames(data))


@vectors_of("invalid")
def test_invalid(vector: Vector) -> None:
    data = bytes.fromhex(vector["bytes"])
    if vector["to"] == "session":
        kind, error, _, _, _ = fresh_session().receive(data, 0.0)[-1]
        assert kind == BROKEN
        assert isinstance(error, RemoteProtocolError)
    else:
        handshakes: dict[str, ServerHandshake | ClientHandshake] = {
            "server": ServerHandshake(SMALL, None),
            "client": ClientHandshake("worker-1", SMALL, b"key"),
            "keyless client": ClientHandshake("worker-1", SMALL, None),
        }
        with pytest.raises((RemoteProtocolError, HandshakeError)) as caught:
            handshakes[vector["to"]].receive(data)
        error = caught.value
    assert str(error).startswith(vector["complaint"])
