"""Wrong arguments are refused where they are given, with the right call."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from math import nan
from typing import Any

import pytest

import communica_like
from communica_like import (
    Closed,
    LocalConnector,
    MemoryConnector,
    ReqError,
    RespError,
    RmqConnector,
    RmqInboxConnector,
    RouteClient,
    RouteTable,
    SimpleClient,
    SimpleServer,
    TcpConnector,
    blocking,
    connector_from,
)
from communica_like.arguments import check_seconds
from communica_like.logging import BlockingLogServer, ThrowHandler
from communica_like.queues import PipeQueue, PosixMQ, SysVMQ

ENTITIES = ["SimpleServer", "SimpleClient", "RouteServer", "RouteClient"]


def refused(error: type[Exception], text: str, call: Callable[[], object]) -> None:
    """Check that *call* raises exactly *error*, with *text* in its message."""
    with pytest.raises(error, match=re.escape(text)) as caught:
        call()
    assert type(caught.value) is error


@pytest.mark.parametrize("name", ENTITIES)
@pytest.mark.parametrize("module", [communica_like, blocking], ids=["async", "blocking"])
def test_wrong_options_of_entities(module: Any, name: str) -> None:
    kind = getattr(module, name)
    where = MemoryConnector()
    for option in ("default_timeout", "drain_timeout", "handshake_timeout"):
        for value, error in (("5", TypeError), (-5, ValueError), (nan, ValueError)):
            refused(error, f"{option}=5.0", partial(kind, where, **{option: value}))
    refused(TypeError, "a number of seconds, not None", lambda: kind(where, drain_timeout=None))
    refused(TypeError, "limits is a Limits or None, not 5: limits=", lambda: kind(where, limits=5))
    if name.endswith("Client"):
        refused(TypeError, "backoff is a Backoff or None, not 5: backoff=", lambda: kind(where, backoff=5))
    if module is blocking:
        refused(TypeError, "portal is a Portal or None, not 5: portal=", lambda: kind(where, portal=5))


def test_seconds() -> None:
    for good in (0, 1, 1.5, float("inf")):
        check_seconds("timeout", good)
    check_seconds("timeout", None, optional=True)
    check_seconds("timeout", -1, least=-float("inf"))


def test_wrong_tables() -> None:
    table: Any = RouteTable
    refused(TypeError, "a RouteTable's name is a str, not 5: RouteTable('name'", lambda: table(5))
    refused(TypeError, "a serializer is expected", lambda: table(serializer="json"))


async def test_wrong_timeouts_of_calls() -> None:
    connector = MemoryConnector()
    wrong: Any = "5"
    async with SimpleServer(connector, lambda data: data) as server, SimpleClient(connector) as client:
        for call in (client.request, client.throw, server.request, server.throw):
            with pytest.raises(TypeError, match=r"timeout is a number of seconds, not '5': timeout=5\.0"):
                await call(1, timeout=wrong)


async def test_wrong_routes() -> None:
    client = RouteClient(MemoryConnector())
    wrong: Any = {"a": 1}
    for call in (client.request, client.throw):
        with pytest.raises(TypeError, match=r"a route's name is a str, not \{'a': 1\}"):
            await call(wrong)
        for name in ("", "x" * 70_000):
            with pytest.raises(ValueError, match="a route's name has 1 to 65535 bytes") as caught:
                await call(name)
            assert type(caught.value) is ValueError


def test_blocking_classes_speak_of_themselves() -> None:
    client = blocking.SimpleClient(MemoryConnector())
    refused(Closed, "new>> is not started: use 'with', or call its init()", lambda: client.request(5))
    wrong: Any = "log"
    refused(TypeError, "BlockingLogServer(LocalConnector('log'), ...)", lambda: BlockingLogServer(wrong))


def test_what_is_no_url() -> None:
    make: Any = connector_from
    for given in (MemoryConnector("x"), None):
        refused(TypeError, f"URL is a str, not {given!r}: connector_from('local", partial(make, given))
    for call in (make, ThrowHandler):
        refused(ValueError, "; the URL of a name is 'local://adder'; known are", partial(call, "adder"))


@pytest.mark.skipif(os.name == "nt", reason="the path of a named pipe may be longer")
def test_names_of_local_connectors() -> None:
    make: Any = LocalConnector
    refused(ValueError, ": a URL goes to connector_from('local://x')", lambda: make("local://x"))
    for given in (5, LocalConnector("x")):
        refused(TypeError, f"a path, not {given!r}: LocalConnector('name')", partial(make, given))
    with pytest.raises(ValueError, match="has 205") as caught:
        make("/tmp/" + 200 * "x")
    assert "COMMUNICA_LIKE_DIR" not in str(caught.value)


def test_other_connectors() -> None:
    tcp: Any = TcpConnector
    refused(TypeError, "not bytes: TcpConnector(host, port, authkey=...)", lambda: tcp("h", 5, b"secret"))
    refused(ValueError, "not '[::1]': the call is TcpConnector('::1', port)", lambda: tcp("[::1]", 5))
    url = "amqp+inbox://guest@localhost"
    refused(ValueError, ": connector_from('amqp+inbox://...') takes it", lambda: RmqInboxConnector(url, "a"))


def test_the_default_password_is_the_same_as_none() -> None:
    for kind in (RmqConnector, RmqInboxConnector):
        given = kind("amqp://guest:guest@localhost", "a")
        assert connector_from(given.dump_state()) == given == kind("amqp://guest@localhost", "a")
        assert kind("amqp://guest:other@localhost", "a") != given


@pytest.mark.skipif(os.name == "nt", reason="these queues are POSIX")
def test_names_of_queues() -> None:
    kinds: list[Any] = [PosixMQ, PipeQueue, SysVMQ, blocking.sysvmq.Queue]
    posix, pipe, sysv, blocking_sysv = kinds
    refused(TypeError, "name is a str, not 5: PosixMQ('/name')", lambda: posix(5))
    refused(TypeError, "path, not 5: PipeQueue('/path/to/pipe')", lambda: pipe(5))
    refused(TypeError, "key is an int or None, not 'x': SysVMQ(1234)", lambda: sysv("x"))
    refused(TypeError, "key is an int or None, not 'x': SysVMQ(1234)", lambda: blocking_sysv("x"))


def test_codes_of_errors() -> None:
    code: Any = "404"
    for kind in (ReqError, RespError):
        call = f"{kind.__name__}('text', 404)"
        refused(TypeError, f"a code is an int or None, not '404': {call}", partial(kind, "x", code))
