"""Every connector keeps every promise."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from communica_like import LocalConnector, MemoryConnector, TcpConnector, connector_from
from communica_like.testing.conformance import CHECKS, MakeMeeting, Meeting, meeting_of

CERTIFICATES = Path(__file__).parent / "certificates"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def memory(authkey: bytes | None) -> Meeting:
    return meeting_of(MemoryConnector(authkey=authkey))


def tcp4(authkey: bytes | None) -> Meeting:
    return meeting_of(TcpConnector("127.0.0.1", 0, authkey=authkey))


def tcp6(authkey: bytes | None) -> Meeting:
    return meeting_of(TcpConnector("::1", 0, authkey=authkey))


def tcp_tls(authkey: bytes | None) -> Meeting:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(CERTIFICATES / "certificate.pem", CERTIFICATES / "key.pem")
    trusting = ssl.create_default_context(cafile=CERTIFICATES / "certificate.pem")

    def client(address: str) -> TcpConnector:
        connector = connector_from(address, ssl=trusting, authkey=authkey)
        assert isinstance(connector, TcpConnector)
        return connector

    return Meeting(TcpConnector("localhost", 0, ssl=serving, authkey=authkey), client)


@pytest.fixture(params=["memory", "local", "tcp4", "tcp6", "tls"])
def make(request: pytest.FixtureRequest) -> Iterator[MakeMeeting]:
    makers: dict[str, MakeMeeting] = {"memory": memory, "tcp4": tcp4, "tcp6": tcp6, "tls": tcp_tls}
    if request.param in makers:
        if request.param == "tcp6" and not has_ipv6():
            pytest.skip("this machine has no IPv6")
        yield makers[request.param]
        return
    # Not tmp_path, which may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        made = 0

        def local(authkey: bytes | None) -> Meeting:
            nonlocal made
            made += 1
            return meeting_of(LocalConnector(f"{folder}/{made}", authkey=authkey))

        yield local


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
async def test_promise(check: Callable[[MakeMeeting], Awaitable[Any]], make: MakeMeeting) -> None:
    await check(make)
