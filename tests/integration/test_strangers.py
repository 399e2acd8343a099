"""Whatever strangers send, the server says so in its log, forgets them, and serves its clients on."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from communica_like import Limits, SimpleClient, SimpleServer, connector_from
from communica_like.entities.connection.acceptor import Acceptor
from communica_like.exceptions import AuthenticationError
from communica_like.session import ClientHandshake
from communica_like.wire.frames import (
    ACK,
    CONTINUE,
    HEADER,
    HELLO,
    MORE,
    PROOF,
    REQUEST,
    WELCOME,
    control,
)
from communica_like.wire.greetings import MAGIC

HANDSHAKE_TIMEOUT = 0.3
"""Of the servers that are waited for."""
PATIENCE = 40.0


async def open_raw(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    scheme, _, rest = address.partition("://")
    if scheme == "local":
        return await asyncio.open_unix_connection(rest)
    host, _, port = rest.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def talk(address: str, *words: bytes, wait: bool = True) -> bytes:
    """Say *words* to the server; return what it says before it breaks the link."""
    reader, writer = await open_raw(address)
    answer = b""
    try:
        for word in words:
            writer.write(word)
            await writer.drain()
        if wait:
            async with asyncio.timeout(PATIENCE):
                answer = await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass
    return answer


def hello(name: str = "stranger") -> bytes:
    return ClientHandshake(name, Limits(resume_window=0.1), None).outgoing


async def handle(data: object) -> object:
    if data == "wait":
        await asyncio.Event().wait()
    return data


@asynccontextmanager
async def honest_traffic(
    url: str, authkey: bytes | None = None, handshake_timeout: float = PATIENCE
) -> AsyncIterator[SimpleServer]:
    """A server, and a client that makes requests all the time and is never disappointed."""
    connector = connector_from(url, authkey=authkey)
    server = SimpleServer(connector, handle, handshake_timeout=handshake_timeout)
    async with server, SimpleClient(connector, lambda data: data) as client:
        stop = asyncio.Event()

        async def ask() -> int:
            number = 0
            while not stop.is_set():
                assert await asyncio.wait_for(client.request(number), PATIENCE) == number
                called_back = server.request(number, client_id=client.client_id)
                assert await asyncio.wait_for(called_back, PATIENCE) == number
                number += 1
                await asyncio.sleep(0)
            return number

        asking = asyncio.ensure_future(ask())
        yield server
        stop.set()
        assert await asking > 0
        async with asyncio.timeout(PATIENCE):
            while len(server.clients) > 1:
                await asyncio.sleep(0.005)
        assert [info.client_id for info in server.clients] == [client.client_id]
        assert isinstance(server._backend, Acceptor)
        assert not server._backend._receivers


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    )


OLD_HELLO = control(HELLO, MAGIC + struct.pack("!HH", 0, 0) + hello()[HEADER.size + 8 :])
NEW_HELLO = control(HELLO, MAGIC + struct.pack("!HH", 9, 7) + b"whatever")

BEFORE_THE_HANDSHAKE = {
    "garbage": (b"\xde\xad\xbe\xef" * 20, "where at most"),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "where at most"),
    "4 GiB": (HEADER.pack(0xFFFFFFFF, HELLO, 0, 0, 0, 0), "a frame of 4294967295 bytes"),
    "another kind": (control(REQUEST, b"{}"), "kind 1 during the handshake"),
    "a proof for nothing": (control(PROOF, bytes(32)), "during the handshake"),
    "a server's word": (control(WELCOME, bytes(60)), "during the handshake"),
    "an empty hello": (control(HELLO), "no greeting of this protocol"),
    "another protocol": (control(HELLO, b"XXXX" + bytes(100)), "no greeting of this protocol"),
    "a short hello": (control(HELLO, hello()[HEADER.size : -60]), "HELLO of"),
    "an old version": (OLD_HELLO, "versions"),
    "a new version": (NEW_HELLO, "versions 7 to 9"),
}


@pytest.mark.parametrize("what", BEFORE_THE_HANDSHAKE)
async def test_nonsense_instead_of_a_handshake(what: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    words, expected = BEFORE_THE_HANDSHAKE[what]
    async with honest_traffic(url) as server:
        await talk(server.address, words)
        assert expected in logged(caplog)
        caplog.clear()
        # The same, one byte at a time.
        await talk(server.address, *(words[i : i + 1] for i in range(len(words))))
        assert expected in logged(caplog)


def frame(kind: int, body: bytes = b"", *, length: int | None = None, **fields: int) -> bytes:
    size = len(body) if length is None else length
    flags, route, ident = (fields.get(name, 0) for name in ("flags", "route", "ident"))
    return HEADER.pack(size, kind, flags, route, ident, 0) + body


AFTER_THE_HANDSHAKE = {
    "garbage": b"\xde\xad\xbe\xef" * 20,
    "4 GiB": frame(REQUEST, length=0xFFFFFFFF),
    "an unknown kind": frame(14, b"?"),
    "a second hello": hello(),
    "a piece of nothing": frame(CONTINUE, b"x" * 2000, ident=5),
    "an empty large message": frame(REQUEST, struct.pack("!IQ", 1, 10**6), flags=MORE, ident=1),
    "a message of 1 TiB": frame(REQUEST, struct.pack("!IQ", 1, 1 << 40) + b"x", flags=MORE, ident=1),
    "an acknowledgement of what was not sent": frame(ACK, struct.pack("!QQ", 0, 0), ident=99),
    "a route beyond the frame": frame(REQUEST, b"ab", route=100, ident=1),
}


@pytest.mark.parametrize("what", AFTER_THE_HANDSHAKE)
async def test_nonsense_after_the_handshake(what: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with honest_traffic(url) as server:
        answer = await talk(server.address, hello(), AFTER_THE_HANDSHAKE[what])
        assert answer[4] == WELCOME
        assert b"protocol error" in answer, "it is told why"
        assert "'stranger' breaks the protocol" in logged(caplog)


async def test_more_requests_than_there_is_credit(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Requests that are not being handled are bounded, whatever a client does."""
    async with honest_traffic(url) as server:
        requests = b"".join(frame(REQUEST, b'"wait"', ident=number) for number in range(1, 10_000))
        await talk(server.address, hello() + requests)
        assert "credit overrun" in logged(caplog)
        assert server._pool is not None
        await asyncio.wait_for(server._pool.wait_idle(), PATIENCE)  # their handlers were told to stop


SILENT: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "half a header": lambda: hello()[:7],
    "half a hello": lambda: hello()[:60],
}


@pytest.mark.parametrize("what", SILENT)
async def test_silence(what: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with honest_traffic(url, handshake_timeout=HANDSHAKE_TIMEOUT) as server:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await talk(server.address, SILENT[what]()) == b""
        assert HANDSHAKE_TIMEOUT * 0.9 < loop.time() - began < HANDSHAKE_TIMEOUT + 5
        assert "within 0.3 s and was rejected" in logged(caplog)


async def test_silence_after_the_challenge(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with honest_traffic(url, b"key", HANDSHAKE_TIMEOUT) as server:
        await talk(server.address, hello())
        assert "did not complete the handshake" in logged(caplog)


async def test_wrong_authkeys(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with honest_traffic(url, b"key") as server:
        for wrong in (b"another", None):
            with pytest.raises(AuthenticationError):
                await SimpleClient(connector_from(server.address, authkey=wrong)).init()
        assert "authkey" in logged(caplog)
        # One that does not check the server's proof, and cannot prove anything.
        caplog.clear()
        answer = await talk(server.address, hello(), control(PROOF, bytes(32)))
        assert b"authkeys differ" in answer
        assert "does not know the authkey" in logged(caplog)


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(b"", id="nothing", marks=pytest.mark.chaos),
        pytest.param(hello()[:50], id="half a word"),
        pytest.param(hello("the same"), id="the same", marks=pytest.mark.chaos),
        pytest.param(b"garbage" * 10, id="garbage"),
    ],
)
async def test_a_thousand_come_and_go(words: bytes, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Links that are opened and dropped cost nothing that lasts."""
    caplog.set_level(logging.CRITICAL, "communica_like")  # what is logged is kept until the test ends
    async with honest_traffic(url) as server:

        async def come_and_go(count: int) -> None:
            for _ in range(count // 50):
                talks = [talk(server.address, words, wait=False) for _ in range(50)]
                await asyncio.gather(*talks)

        await come_and_go(200)
        descriptors, memory = len(os.listdir("/proc/self/fd")), resident()
        for _ in range(3):  # what lasts would grow each time
            await come_and_go(1_000)
            async with asyncio.timeout(PATIENCE):
                while len(os.listdir("/proc/self/fd")) > descriptors:
                    await asyncio.sleep(0.01)
            before, memory = memory, resident()
            if memory - before < 4 * 1024 * 1024:
                break
        else:
            raise AssertionError(f"it grew by {memory - before} bytes in the end")
