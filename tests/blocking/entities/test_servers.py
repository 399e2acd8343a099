"""Blocking servers: handlers, calls to clients, run() and its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from communica_like import Context, ReqError, RouteTable, connector_from
from communica_like.blocking import Portal, RouteClient, RouteServer, SimpleClient, SimpleServer
from communica_like.exceptions import AddressInUse, RouteOverrideError
from tests.blocking.scene import PATIENCE, Scene, gone, soon

LOOP = "communica_like portal"

RUNNING = """
import sys, threading, time
from communica_like import connector_from
from communica_like.blocking import SimpleServer

def handle(seconds):
    print("handling", flush=True)
    time.sleep(seconds)
    return threading.current_thread().name

server = SimpleServer(connector_from(sys.argv[1]), handle, drain_timeout=float(sys.argv[2]))
server.run()
print("ended", server.state, threading.active_count(), flush=True)
"""


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene
    assert gone(LOOP)


def test_both_sides_in_one_process(scene: Scene) -> None:
    connector = connector_from(scene.url)

    def upper(data: str, context: Context) -> list[str]:
        return [data.upper(), context.client_id, threading.current_thread().name]

    with SimpleServer(connector, upper) as server:
        with SimpleClient(connector, lambda data: data * 2, client_id="c") as client:
            assert client.request("a") == ["A", "c", "communica_like handler"]
            assert server.request(21) == 42
            assert server.request("x", client_id="c", timeout=PATIENCE) == "xx"
            assert [info.client_id for info in server.clients] == ["c"]
            assert server.address == scene.url
            with pytest.raises(AddressInUse):
                SimpleServer(connector).init()
            assert repr(server) == f"<blocking <SimpleServer {scene.url} running>>"
    with server, client:
        assert client.request("again")[0] == "AGAIN"


def test_routes_of_a_server(scene: Scene) -> None:
    users, admin = RouteTable("users"), RouteTable("admin")
    heard = []
    users.add_route("add", lambda data: data + 1)
    admin.add_route("add", lambda data: data - 1)
    with pytest.raises(RouteOverrideError):
        RouteServer(connector_from(scene.url), [users, admin])
    for wrong in ([users, "admin"], {"add": len}):
        with pytest.raises(TypeError, match="a RouteTable is expected"):
            RouteServer(connector_from(scene.url), wrong)  # type: ignore[arg-type]
    server = RouteServer(connector_from(scene.url), users)

    @server.routes.handler("fail")
    def fail(data: Any) -> Any:
        raise ReqError("no", code=3)

    client = RouteClient(connector_from(scene.url), client_id="me", portal=Portal())

    @client.routes.handler("hear")
    def hear(data: Any) -> Any:
        heard.append((data, threading.current_thread().name))

    with server, client:
        assert client.request("add", 1) == 2
        with pytest.raises(ReqError, match="no"):
            client.request("fail", 1)
        server.throw("hear", "news")
        server.throw("hear", "more", client_id="me")
        soon(lambda: len(heard) == 2)
        assert sorted(heard) == [("more", "communica_like handler"), ("news", "communica_like handler")]


def test_run_in_a_thread_ends_by_stop(scene: Scene) -> None:
    server = SimpleServer(connector_from(scene.url), lambda data: server.stop())
    for _ in range(2):
        with ThreadPoolExecutor(2) as threads:
            running = threads.submit(server.run)
            with SimpleClient(connector_from(scene.url)) as client:
                with pytest.raises(RuntimeError, match="already running"):
                    server.run()
                assert server.state == "running"
                client.request(None)
                server.wait_stop()
                running.result(PATIENCE)
        assert server.state == "closed"
    server.stop()


def test_run_raises_what_init_raises(scene: Scene) -> None:
    with SimpleServer(connector_from(scene.url)):
        with pytest.raises(AddressInUse):
            SimpleServer(connector_from(scene.url)).run()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_run_ends_by_a_signal(scene: Scene, number: signal.Signals) -> None:
    """The handler that is at work answers first."""
    script = scene.start(RUNNING, 10)
    with SimpleClient(connector_from(scene.url)) as client, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(client.request, 0.3)
        assert script.line() == "handling"
        script.send(number)
        assert answer.result(PATIENCE) == "communica_like handler"
        assert script.line() == "ended closed 1"
        assert (script.end(), script.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_second_signal_does_not_wait_for_a_handler(scene: Scene, number: signal.Signals) -> None:
    script = scene.start(RUNNING, 60)
    with SimpleClient(connector_from(scene.url)) as client:
        client.throw(60)
        assert script.line() == "handling"
        script.send(number)
        with pytest.raises(ConnectionError):
            while True:
                client.request(0, timeout=PATIENCE)
        script.send(number)
        assert script.end() == 0
        assert script.rest()[-1].startswith("ended closed")
        assert "Traceback" not in script.stderr
        client.close(0)


def test_a_signal_before_there_is_anything_to_stop(scene: Scene) -> None:
    """It stops nothing too early, and nothing for ever: the process ends in any case."""
    text = """
import os, signal, sys
from communica_like import connector_from
from communica_like.blocking import SimpleServer
from communica_like.blocking import Portal
server = SimpleServer(connector_from(sys.argv[1]))
run = Portal.run
def signaled(self, coroutine, reclaim=None):
    os.kill(os.getpid(), signal.SIGTERM)
    return run(self, coroutine, reclaim)
Portal.run = signaled
server.run()
print("ended")
"""
    script = scene.start(text)
    assert script.line() == "ended"
    assert (script.end(), script.stderr) == (0, "")


def test_handlers_of_signals_come_back(scene: Scene) -> None:
    former = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = SimpleServer(connector_from(scene.url), lambda data: server.stop())
    client = SimpleClient(connector_from(scene.url))

    def ask() -> None:
        with client:
            client.request(None)

    thread = threading.Thread(target=ask)
    thread.start()
    server.run()
    thread.join(PATIENCE)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == former
