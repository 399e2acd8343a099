from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pickle
import socket
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like import TcpConnector, connector_from
from communica_like.exceptions import AddressInUse, InsecureAddress, LinkError, LinkRefused
from tests.connectors.recorder import PATIENCE, Recorder, serving

HOSTS = ["localhost", "127.0.0.1", "::1", "fe80::1%eth0", "::", "0.0.0.0", "bücher.example", "a-b.c_d", "%41"]


@given(st.sampled_from(HOSTS) | st.ip_addresses().map(str) | st.text(min_size=1), st.integers(0, 65535))
def test_any_address_goes_round_or_is_refused_for_a_reason(host: str, port: int) -> None:
    try:
        connector = TcpConnector(host, port)
    except ValueError as exc:
        text = str(exc)
        assert (repr(host) in text, host in HOSTS) == (True, False)
        return
    url = connector.dump_state()
    assert url.isascii()
    assert connector_from(url) == connector
    assert pickle.loads(pickle.dumps(connector)) == connector


def test_urls() -> None:
    assert TcpConnector("h", 1).dump_state() == "tcp://h:1"
    assert TcpConnector("::1", 80).dump_state() == "tcp://[::1]:80"
    assert TcpConnector("fe80::1%eth0", 80).dump_state() == "tcp://[fe80::1%25eth0]:80"
    assert connector_from("tcp://[::1]:80") == TcpConnector("::1", 80)


@pytest.mark.parametrize(
    "url",
    [
        "tcp://h", "tcp://:1", "tcp://h:", "tcp://h:x", "tcp://h:-1", "tcp://h:65536", "tcp://h:1/x",
        "tcp://::1:80", "tcp://[::1]", "tcp://h:1?x", "tcp://u:p@h:1", "tcp://[]:1", "tcp://[[::1]]:1",
        "tcp://h%00:1", "tcp://h%20x:1", "tcp://h:%D9%A1", "tcp://h:" + "9" * 5000,
    ],
)  # fmt: skip
def test_malformed_urls(url: str) -> None:
    with pytest.raises(ValueError):
        TcpConnector.load_state(url)


@pytest.mark.parametrize("host", ["", None, 5, "[::1]", "a b", "h/x", "a\0"])
def test_hosts_that_are_none(host: Any) -> None:
    with pytest.raises(ValueError, match="host"):
        TcpConnector(host, 1)


@pytest.mark.parametrize(
    "host, call",
    [
        ("127.0.0.1:5000", "'127.0.0.1', 5000"), ("localhost:80", "'localhost', 80"),
        ("[::1]:5000", "'::1', 5000"), ("tcp://h:1", "'h', 1"), ("a:b", None), ("1:2:3", None), (":80", None),
    ],
)  # fmt: skip
def test_a_host_that_holds_a_port(host: str, call: str | None) -> None:
    with pytest.raises(ValueError, match="without brackets and port") as caught:
        TcpConnector(host, 1)
    assert str(caught.value).endswith(f": the call is TcpConnector({call})" if call else repr(host))


@pytest.mark.parametrize("port", [-1, 65536, "80", None, True, 1.0])
def test_ports_that_are_none(port: Any) -> None:
    with pytest.raises(ValueError, match="port"):
        TcpConnector("h", port)


def test_values() -> None:
    context = ssl.create_default_context()
    plain, keyed = TcpConnector("h", 1), TcpConnector("h", 1, authkey=b"secret")
    secured = TcpConnector("h", 1, context, insecure=True)
    assert len({plain, TcpConnector("h", 1), keyed, secured}) == 3
    assert plain.path is None
    assert repr(plain) == "TcpConnector('h', 1)"
    assert repr(keyed) == "TcpConnector('h', 1, authkey=...)"
    assert repr(secured) == "TcpConnector('h', 1, ssl=..., insecure=True)"
    assert pickle.loads(pickle.dumps(keyed)) == keyed
    with pytest.raises(TypeError, match=r"SSLContext cannot be pickled: send dump_state\(\)"):
        pickle.dumps(secured)
    assert connector_from("tcp://h:1", ssl=context, insecure=True) == secured
    wrong: Any = True
    with pytest.raises(TypeError, match="bool"):
        TcpConnector("h", 1, ssl=wrong)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.port = 2  # type: ignore[misc]


async def test_bytes_both_ways_and_who_is_there() -> None:
    async with serving(TcpConnector("127.0.0.1", 0)) as served:
        near = Recorder()
        link = await connector_from(served.listener.address).connect(near)
        there, far = await served.link()
        link.send(b"ping")
        await far.until(4)
        there.send(b"pong")
        await near.until(4)
        assert link.peer.transport == "tcp"
        assert f"tcp://{link.peer.address}" == served.listener.address
        assert there.peer.address.startswith("127.0.0.1:")
        assert link.peer.certificate is None
        link.close()
        await near.until_broken()
        await far.until_broken()


async def families(name: str) -> set[int]:
    loop = asyncio.get_running_loop()
    found = set()
    for family, *_, address in await loop.getaddrinfo(name, 0, type=socket.SOCK_STREAM):
        with contextlib.suppress(OSError), socket.socket(family) as sock:
            sock.bind(address)
            found.add(int(family))
    return found


async def test_localhost_is_every_family_on_one_port() -> None:
    async with serving(TcpConnector("localhost", 0)) as served:
        port = int(served.listener.address.rpartition(":")[2])
        assert port
        hosts = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
        for number, family in enumerate(await families("localhost")):
            near = Recorder()
            link = await TcpConnector(hosts[socket.AddressFamily(family)], port).connect(near)
            await served.link(number)
            link.abort()
            await near.until_broken()


async def test_ipv6_addresses_are_shown_in_brackets() -> None:
    if socket.AF_INET6 not in await families("::1"):
        pytest.skip("no IPv6 here")
    async with serving(TcpConnector("::1", 0)) as served:
        near = Recorder()
        link = await connector_from(served.listener.address).connect(near)
        there, _ = await served.link()
        assert there.peer.address.startswith("[::1]:")
        link.abort()
        await near.until_broken()


async def test_in_use() -> None:
    async with serving(TcpConnector("127.0.0.1", 0)) as served:
        same = connector_from(served.listener.address)
        with pytest.raises(AddressInUse, match="already served"):
            await same.listen(lambda link: Recorder())
        await served.listener.close()
        await served.listener.close()
        async with serving(same):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
async def test_beyond_loopback_only_on_purpose(host: str) -> None:
    with pytest.raises(InsecureAddress, match="insecure=True"):
        await TcpConnector(host, 0).listen(lambda link: Recorder())


@pytest.mark.parametrize(
    "protection",
    [{"insecure": True}, {"authkey": b"key"}, {"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}],
)
async def test_protected_or_meant(protection: dict[str, Any]) -> None:
    async with serving(TcpConnector("0.0.0.0", 0, **protection)) as served:
        assert served.listener.address.startswith("tcp://0.0.0.0:")


async def test_an_address_of_another_machine() -> None:
    with pytest.raises(LinkError, match="cannot serve"):
        await TcpConnector("192.0.2.1", 0, insecure=True).listen(lambda link: Recorder())


async def test_nobody_serves() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        connector = TcpConnector("127.0.0.1", free.getsockname()[1])
        with pytest.raises(LinkRefused, match=connector.dump_state()) as caught:
            await connector.connect(Recorder())
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)


@pytest.mark.parametrize("host", ["a..b", "x" * 300])
async def test_no_such_host(host: str) -> None:
    connector = TcpConnector(host, 1)
    for attempt in (connector.connect(Recorder()), connector.listen(lambda link: Recorder())):
        with pytest.raises(LinkError, match="cannot resolve") as caught:
            await attempt
        assert not isinstance(caught.value, LinkRefused)


async def test_a_socket_connected_to_itself_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()

    async def connect(sock: socket.socket, address: tuple[str, int]) -> None:
        sock.bind(("127.0.0.1", 0))
        with contextlib.suppress(BlockingIOError):
            sock.connect(sock.getsockname())

    monkeypatch.setattr(loop, "sock_connect", connect)
    with pytest.raises(LinkRefused):
        await TcpConnector("127.0.0.1", 9).connect(Recorder())


async def test_the_second_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(TcpConnector("127.0.0.1", 0)) as served:
        port = int(served.listener.address.rpartition(":")[2])
        stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        _resolve_to(monkeypatch, [(*stream, ("127.0.0.2", port)), (*stream, ("127.0.0.1", port))])
        near = Recorder()
        link = await TcpConnector("name", port).connect(near)
        link.abort()
        await near.until_broken()


async def test_an_address_found_twice_is_bound_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    _resolve_to(monkeypatch, [found, found])
    async with serving(TcpConnector("name", 0)):
        pass


async def test_another_port_if_the_first_is_not_free_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    _resolve_to(monkeypatch, [(*stream, ("127.0.0.1", 0)), (*stream, ("127.0.0.2", 0))])
    real = socket.socket.bind
    taken: list[socket.socket] = []

    def bind(sock: socket.socket, address: tuple[str, int]) -> None:
        if address[0] == "127.0.0.2" and not taken:
            blocker = socket.socket()
            taken.append(blocker)
            real(blocker, address)
            blocker.listen()
        real(sock, address)

    monkeypatch.setattr("socket.socket.bind", bind)
    async with serving(TcpConnector("name", 0)) as served:
        assert int(served.listener.address.rpartition(":")[2]) != taken[0].getsockname()[1]
    taken[0].close()


def _resolve_to(monkeypatch: pytest.MonkeyPatch, found: list[Any]) -> None:
    async def getaddrinfo(*args: Any, **options: Any) -> list[Any]:
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_listening_cancelled_leaves_nothing() -> None:
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", 0))
        connector = TcpConnector("127.0.0.1", free.getsockname()[1])
    listening: asyncio.Task[Any] | None = None
    for turns in range(12):
        listening = asyncio.create_task(connector.listen(lambda link: Recorder()))
        for _ in range(turns):
            await asyncio.sleep(0)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await listening).close()
        with pytest.raises(LinkRefused):
            await connector.connect(Recorder())


async def test_connecting_to_who_speaks_no_tls_is_no_refusal() -> None:
    async with serving(TcpConnector("127.0.0.1", 0)) as served:
        port = int(served.listener.address.rpartition(":")[2])
        connector = TcpConnector("127.0.0.1", port, ssl.create_default_context())
        connecting = asyncio.create_task(connector.connect(Recorder()))
        there, far = await served.link()
        await far.until(1)
        there.send(b"I speak no TLS, sorry")
        with pytest.raises(LinkError) as caught:
            await asyncio.wait_for(connecting, PATIENCE)
        assert not isinstance(caught.value, LinkRefused)
