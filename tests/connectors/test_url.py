from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communica_like import (
    FifoConnector,
    LocalConnector,
    ManagerConnector,
    MemoryConnector,
    PosixMQConnector,
    StdioConnector,
    SysVConnector,
    TcpConnector,
    connector_from,
)
from communica_like.abc import Connector
from communica_like.connectors.url import (
    check_authkey,
    check_text,
    is_loopback,
    join_host_port,
    join_url,
    split_host_port,
    split_url,
)

CONNECTORS: list[type[Connector]] = [
    FifoConnector,
    LocalConnector,
    ManagerConnector,
    MemoryConnector,
    PosixMQConnector,
    StdioConnector,
    SysVConnector,
    TcpConnector,
]
URLS = ["tcp://h:1", "local://n", "memory://n", "fifo:///p/n", "posixmq:///n", "sysv://5"]


@given(st.text(min_size=1))
def test_a_url_gives_back_what_was_joined(rest: str) -> None:
    url = join_url("memory", rest)
    assert url.isascii()
    assert split_url(url, "memory") == rest


SCHEMES = [kind.scheme for kind in CONNECTORS] + ["TCP", "", "x", "local:", "tcp\0"]


def scrambled_urls() -> st.SearchStrategy[str]:
    schemes = st.sampled_from(SCHEMES)
    pieces = st.sampled_from(
        ["%", "%2F", "%00", "..", "/", "[", "]", ":", "@", "é", "%ff", "\ud800", "80", "::1"]
    )
    rest = st.lists(pieces | st.text(max_size=4), max_size=8).map("".join)
    return st.builds("{}://{}".format, schemes, rest)


@given(st.text() | scrambled_urls() | st.text(alphabet=st.characters()))
def test_any_text_is_a_connector_or_a_value_error(text: str) -> None:
    loads: list[Callable[[str], Connector]] = [connector_from]
    loads += [kind.load_state for kind in CONNECTORS]
    for load in loads:
        try:
            connector = load(text)
        except ValueError:
            continue
        else:
            url = connector.dump_state()
            assert url.isascii()
            assert connector_from(url) == connector


@pytest.mark.parametrize(
    "text, found",
    [
        ("", "''"),
        ("no url", "'no url'"),
        ("http://host", "http://"),
        ("memory://", "nothing"),
        ("memory://a b", "a b"),
        ("memory://é", "é"),
        ("memory://%ff", "UTF-8"),
        ("memory://%zz", "%zz"),
        ("memory://100%", "100%"),
    ],
)
def test_a_value_error_says_what_was_found(text: str, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        MemoryConnector.load_state(text)


@pytest.mark.parametrize("text", ["", "x", "http://x", "memory:x", "://x"])
def test_connector_from_names_the_known_schemes(text: str) -> None:
    known = r"known are amqp://, amqp\+inbox://, fifo://, local://, .*, tcp://"
    with pytest.raises(ValueError, match=known) as caught:
        connector_from(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("kind", CONNECTORS)
@pytest.mark.parametrize("other", URLS)
def test_a_url_of_another_connector(kind: type[Connector], other: str) -> None:
    if other.startswith(kind.scheme):
        assert kind.from_state(other) == kind.load_state(other) == connector_from(other)
        return
    with pytest.raises(ValueError, match="another connector"):
        kind.load_state(other)


@pytest.mark.parametrize("url", URLS)
def test_secrets_are_given_apart(url: str) -> None:
    connector = connector_from(url, authkey=b"very secret")
    assert connector.authkey == b"very secret"
    assert connector.dump_state() == url
    assert "secret" not in repr(connector)


def test_only_text_is_a_url() -> None:
    number: Any = 5
    with pytest.raises(ValueError, match="int: 5"):
        split_url(number, "tcp")


def test_an_authkey_is_bytes() -> None:
    check_authkey(None)
    check_authkey(b"key")
    with pytest.raises(TypeError, match="str"):
        check_authkey("key")
    with pytest.raises(ValueError, match="empty"):
        check_authkey(b"")


def test_a_lone_surrogate_has_no_place_in_a_url() -> None:
    check_text("it", "é")
    with pytest.raises(ValueError, match="UTF-8"):
        check_text("it", "\udc80")
    for build in (
        LocalConnector,
        MemoryConnector,
        lambda name: TcpConnector(name, 1),
        lambda name: FifoConnector(f"/{name}"),
        lambda name: PosixMQConnector(f"/{name}"),
    ):
        with pytest.raises(ValueError, match="UTF-8"):
            build("a\udc80")


@given(st.ip_addresses().map(str) | st.sampled_from(["h", "fe80::1%eth0"]), st.integers(0, 65535))
def test_host_and_port_go_round(host: str, port: int) -> None:
    assert split_host_port(join_host_port(host, port), "tcp://...") == (host, port)


@pytest.mark.parametrize("rest", ["", "h", ":1", "h:", "h:x", "h:-1", "h:٢", "::1:80", "[::1]", "[]:1"])
def test_no_host_and_port(rest: str) -> None:
    url = f"tcp://{rest}"
    with pytest.raises(ValueError) as caught:
        split_host_port(rest, url)
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.5.5.5", "::1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost.example", "fe80::1%lo"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)
