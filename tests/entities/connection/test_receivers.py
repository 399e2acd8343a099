from __future__ import annotations

import asyncio

import pytest

from communica_like import Limits
from communica_like.abc import Link, PeerIdentity
from communica_like.entities.connection.receivers import ClientHandshakeReceiver, ServerHandshakeReceiver
from communica_like.exceptions import AuthenticationError, HandshakeError, LinkError, ProtocolError
from communica_like.session import ClientHandshake, ServerHandshake
from communica_like.wire.greetings import Hello, Reason, Welcome
from tests.entities.stage import PATIENCE, logged


class PaperLink(Link):
    """A link that only writes down what is asked of it."""

    def __init__(self) -> None:
        self.writable = True
        self.peer = PeerIdentity("paper", "there")
        self.sent = b""
        self.ends: list[str] = []

    def send(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.ends.append("close")

    def abort(self) -> None:
        self.ends.append("abort")

    def take(self) -> bytes:
        data, self.sent = self.sent, b""
        return data


class Server:
    """A ServerHandshakeReceiver and what it reported."""

    def __init__(self, authkey: bytes | None = None, timeout: float = 60.0) -> None:
        self.link = PaperLink()
        self.hellos: list[Hello] = []
        self.ended = 0
        handshake = ServerHandshake(Limits(), authkey)
        self.receiver = ServerHandshakeReceiver(self.link, handshake, timeout, self._on_hello, self._on_end)

    def _on_hello(self, receiver: ServerHandshakeReceiver, hello: Hello) -> None:
        self.hellos.append(hello)

    def _on_end(self, receiver: ServerHandshakeReceiver) -> None:
        self.ended += 1


class Client:
    """A ClientHandshakeReceiver and what it reported."""

    def __init__(self, authkey: bytes | None = None) -> None:
        self.link = PaperLink()
        self.welcomes: list[tuple[Link, Welcome, bytes]] = []
        handshake = ClientHandshake("me", Limits(), authkey)
        self.receiver = ClientHandshakeReceiver(handshake, lambda *welcome: self.welcomes.append(welcome))


@pytest.mark.parametrize("authkey", [None, b"key"])
@pytest.mark.parametrize("step", [1, 7, 10_000])
async def test_they_understand_each_other_however_the_bytes_are_cut(authkey: bytes | None, step: int) -> None:
    server, client = Server(authkey), Client(authkey)
    client.receiver.start(client.link)
    while not server.hellos:
        for here, there in ((client, server), (server, client)):
            data = here.link.take()
            for position in range(0, len(data), step):
                there.receiver.data_received(data[position : position + step])
    assert server.ended == 1
    server.receiver.handshake.accept(b"s" * 16, resumed=False, received=0)
    server.receiver.send()
    client.receiver.link_writable()
    server.receiver.link_writable()
    client.receiver.data_received(server.link.take() + b"first words")
    await client.receiver.done
    [(link, welcome, rest)] = client.welcomes
    assert (link, welcome.session_id, rest) == (client.link, b"s" * 16, b"first words")
    assert server.hellos[0].client_id == "me"
    client.receiver.data_received(b"more")
    server.receiver.data_received(b"more")
    server.receiver.link_broken(None)
    assert (client.link.ends, server.link.ends, server.ended) == ([], [], 1)


async def test_the_client_hears_why_not() -> None:
    client = Client(b"key")
    client.receiver.data_received(b"before it started")
    client.receiver.start(client.link)
    rejecting = ServerHandshake(Limits(), None)
    rejecting.reject(Reason(0, "not today"))
    client.receiver.data_received(rejecting.outgoing)
    with pytest.raises(HandshakeError, match="not today"):
        await client.receiver.done
    assert client.link.ends == ["close"]
    client.receiver.link_broken(None)


async def test_the_client_tells_a_server_with_another_key() -> None:
    server, client = Server(b"key"), Client(b"other")
    client.receiver.start(client.link)
    server.receiver.data_received(client.link.take())
    client.receiver.data_received(server.link.take())
    with pytest.raises(AuthenticationError):
        await client.receiver.done
    assert client.link.sent
    server.receiver.data_received(client.link.take())
    assert (server.hellos, server.link.ends, server.ended) == ([], ["close"], 1)


async def test_foreign_bytes(caplog: pytest.LogCaptureFixture) -> None:
    server, client = Server(), Client()
    client.receiver.start(client.link)
    for each in (server, client):
        each.receiver.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert each.link.ends == ["close"]
    with pytest.raises(ProtocolError):
        await client.receiver.done
    assert server.ended == 1
    assert "from there was rejected" in logged(caplog)


async def test_links_that_break() -> None:
    server, client = Server(), Client()
    client.receiver.start(client.link)
    cause = ConnectionResetError("reset")
    client.receiver.link_broken(cause)
    server.receiver.link_broken(None)
    with pytest.raises(LinkError, match="during the handshake: reset") as caught:
        await client.receiver.done
    assert caught.value.__cause__ is cause
    assert server.ended == 1


@pytest.mark.parametrize("data, text", [(b"", "said nothing"), (b"\0", "did not complete the handshake")])
async def test_who_takes_too_long(data: bytes, text: str, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(timeout=0.01)
    if data:
        server.receiver.data_received(data)
    async with asyncio.timeout(PATIENCE):
        while not server.ended:
            await asyncio.sleep(0.001)
    assert server.link.ends == ["abort"]
    assert text in logged(caplog)
    server.receiver.data_received(Client().receiver._handshake.outgoing)
    assert server.hellos == []
