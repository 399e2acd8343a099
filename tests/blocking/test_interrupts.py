"""Ctrl-C, a timer or the like in the thread that waits: the coroutine is cancelled, the rest goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.blocking.scene import Scene

BEGIN = """
import signal, sys, threading, time
from communica_like import Limits, connector_from
from communica_like.blocking import RouteClient, RouteServer, Portal

connector = connector_from(sys.argv[1])
client = RouteClient(connector, limits=Limits(outbox=20_000))

def tell(word):
    print(word, flush=True)

states = ["new", "running", "closing"]

def wait(thread, word):
    # Tell when the main thread waits for the loop; then the signal may come.
    frames = sys._current_frames
    while True:
        frame, names = frames().get(threading.main_thread().ident), []
        while frame is not None:
            names.append((frame.f_code.co_filename.rpartition("/")[2], frame.f_code.co_name))
            frame = frame.f_back
        if names[0] == ("call.py", "wait") and ("<string>", thread) in names and client.state in states:
            return tell(word)
        time.sleep(0.001)

def expect(function, kind=KeyboardInterrupt):
    threading.Thread(target=wait, args=("expect", "waiting"), daemon=True).start()
    try:
        function()
    except kind as error:
        tell(type(error).__name__)
"""

REQUEST = """
with client:
    expect(lambda: client.request("slow", None))
    tell(client.request("echo", "goes on"))
"""

THROW = """
def flood():
    while True:
        client.throw("hold", "x" * 5000)

with client:
    expect(flood)
    client.request("release", None)
    tell(client.request("echo", "goes on"))
"""

INIT = """
states = ["running"]
expect(lambda: client.init())
tell(client.state)
tell(sum(thread.name == "communica_like portal" for thread in threading.enumerate()))
"""

CLOSE = """
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
client.init()
client.throw("slow", None)
signal.sigwait([signal.SIGUSR1])
client.throw("note", "x")
states = ["closing"]
expect(lambda: client.close())
tell(client.state)
tell(sum(thread.name == "communica_like portal" for thread in threading.enumerate()))
"""

CALL_TO_A_CLIENT = """
server = RouteServer(connector)
with server:
    expect(lambda: server.request("echo", 1))
    tell(server.state)
"""


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


def test_a_request(scene: Scene) -> None:
    server = scene.serve()
    script = scene.start(BEGIN + REQUEST)
    assert script.line() == "waiting"
    assert server.line() == "started"
    script.send(signal.SIGINT)
    assert script.line() == "KeyboardInterrupt"
    assert server.line() == "cancelled"
    assert script.rest() == ["goes on"]
    assert (script.end(), script.stderr) == (0, "")


def test_another_exception_than_that_of_ctrl_c(scene: Scene) -> None:
    text = """
class DeadlineTimer(BaseException): pass
def ring(*_): raise DeadlineTimer
signal.signal(signal.SIGALRM, ring)
with client:
    expect(lambda: client.request("slow", None), DeadlineTimer)
    tell(client.request("echo", "goes on"))
"""
    server = scene.serve()
    script = scene.start(BEGIN + text)
    assert script.line() == "waiting"
    assert server.line() == "started"
    script.send(signal.SIGALRM)
    assert script.rest() == ["DeadlineTimer", "goes on"]
    assert server.line() == "cancelled"
    assert (script.end(), script.stderr) == (0, "")


def test_a_throw_that_waits_for_room(scene: Scene) -> None:
    scene.serve()
    script = scene.start(BEGIN + THROW)
    assert script.line() == "waiting"
    script.send(signal.SIGINT)
    assert script.rest() == ["KeyboardInterrupt", "goes on"]
    assert (script.end(), script.stderr) == (0, "")


def test_a_start_without_a_server(scene: Scene) -> None:
    script = scene.start(BEGIN + INIT)
    assert script.line() == "waiting"
    script.send(signal.SIGINT)
    assert script.rest() == ["KeyboardInterrupt", "closed", "0"]
    assert script.end() == 0
    assert "Traceback" not in script.stderr


def test_a_closing_that_delivers(scene: Scene) -> None:
    server = scene.serve()
    script = scene.start(BEGIN + CLOSE)
    assert server.line() == "started"
    server.send(signal.SIGSTOP)  # it acknowledges nothing more
    script.send(signal.SIGUSR1)
    assert script.line() == "waiting"
    script.send(signal.SIGINT)
    assert script.rest() == ["KeyboardInterrupt", "closed", "0"]
    assert script.end() == 0
    server.send(signal.SIGCONT)
    assert "Traceback" not in script.stderr


def test_a_server_that_waits_for_a_client(scene: Scene) -> None:
    script = scene.start(BEGIN + CALL_TO_A_CLIENT)
    assert script.line() == "waiting"
    script.send(signal.SIGINT)
    assert script.rest() == ["KeyboardInterrupt", "running"]
    assert (script.end(), script.stderr) == (0, "")


@pytest.mark.parametrize("text", [REQUEST, INIT], ids=["request", "init"])
def test_nobody_catches_it(scene: Scene, text: str) -> None:
    """The process ends as any that Ctrl-C ends, and at once."""
    server = scene.serve() if text is REQUEST else None
    script = scene.start(BEGIN.replace("except kind as error", "except ZeroDivisionError as error") + text)
    assert script.line() == "waiting"
    if server is not None:
        assert server.line() == "started"
    script.send(signal.SIGINT)
    assert script.end(10) == -signal.SIGINT
    assert script.stderr.count("Traceback") == 1


def test_many_at_once(scene: Scene) -> None:
    server = scene.serve()
    script = scene.start(BEGIN + REQUEST)
    assert script.line() == "waiting"
    assert server.line() == "started"
    for _ in range(5):
        script.send(signal.SIGINT)
    assert script.end(10) in (0, -signal.SIGINT, 1)
    assert server.line() == "cancelled"
