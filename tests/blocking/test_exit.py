"""The interpreter exits, and nobody has closed anything."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from communica_like import connector_from
from communica_like.blocking import RouteClient
from tests.blocking.scene import Scene

BEGIN = """
import atexit, os, signal, sys, threading, time
from communica_like import connector_from
from communica_like.blocking import Portal, RouteClient, RouteServer, SimpleServer, SimpleClient
connector = connector_from(sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
"""


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


def notes(scene: Scene) -> list[int]:
    with RouteClient(connector_from(scene.url)) as client:
        found: list[int] = client.request("notes", None)
        return found


THROW = """
begun = threading.Event()

def main(**options):
    client = RouteClient(connector, **options).init()
    begun.set()
    for number in range(1000):
        client.throw("note", number)
"""
ENDINGS = {
    "by itself": "main()",
    "by sys.exit": "main(); sys.exit()",
    "with a portal that nobody keeps": "import gc\nmain(portal=Portal()); gc.collect()",
    "from a thread": "threading.Thread(target=main).start(); begun.wait()",
    "of a forked process": "pid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse: main()",
    "of a child of multiprocessing": """
import multiprocessing
process = multiprocessing.get_context("fork").Process(target=main)
process.start()
process.join()
assert process.exitcode == 0
""",
    "of a child of its parent's portal": """
import multiprocessing
RouteClient(connector).init()
process = multiprocessing.get_context("fork").Process(target=main)
process.start()
process.join()
assert process.exitcode == 0
""",
}


@pytest.mark.parametrize("text", ENDINGS.values(), ids=ENDINGS.keys())
def test_what_was_thrown_is_delivered(scene: Scene, text: str) -> None:
    scene.serve()
    script = scene.start(BEGIN + THROW + text)
    assert (script.end(), script.rest()) == (0, []), script.stderr
    assert "Traceback" not in script.stderr
    assert notes(scene) == list(range(1000))


def test_before_the_server_is_there(scene: Scene) -> None:
    script = scene.start(
        BEGIN
        + """
client = RouteClient(connector).init(wait=False)
for number in range(1000):
    client.throw("note", number)
print("thrown")
"""
    )
    assert script.line() == "thrown"
    scene.serve()
    assert script.end() == 0
    assert notes(scene) == list(range(1000))


def test_not_longer_than_the_drain_time(scene: Scene) -> None:
    server = scene.serve()
    script = scene.start(
        BEGIN
        + """
client = RouteClient(connector, drain_timeout=0.3).init()
client.request("echo", 1)
print("ready", flush=True)
signal.sigwait([signal.SIGUSR1])
for number in range(1000):
    client.throw("note", number)
"""
    )
    assert script.line() == "ready"
    server.send(signal.SIGSTOP)
    script.send(signal.SIGUSR1)
    began = time.monotonic()
    assert script.end() == 0
    assert time.monotonic() - began < 8
    assert "not all was delivered" in script.stderr
    assert "1000 throws" in script.stderr
    server.send(signal.SIGCONT)


@pytest.mark.parametrize("seconds,drain,said", [(0.5, 15, ["busy", "done"]), (3600, 0.3, ["busy"])])
def test_a_handler_is_at_work(scene: Scene, seconds: float, drain: float, said: list[str]) -> None:
    """It has the drain time to end; then the process exits without it."""
    script = scene.start(
        BEGIN
        + f"""
busy = threading.Event()
def handle(data):
    print("busy", flush=True)
    busy.set()
    time.sleep({seconds})
    print("done", flush=True)
server = SimpleServer(connector, handle, drain_timeout={drain}).init()
client = SimpleClient(connector, drain_timeout={drain}).init()
client.throw(1)
busy.wait()
"""
    )
    assert script.end() == 0
    assert script.rest() == said


def test_handlers_start_while_it_exits(scene: Scene) -> None:
    """What is thrown within the process is handled, though no thread can be started any more."""
    script = scene.start(
        BEGIN
        + """
server = SimpleServer(connector, lambda data: os.write(1, b"%d\\n" % data)).init()
client = SimpleClient(connector).init()
for number in range(100):
    client.throw(number)
"""
    )
    assert script.end() == 0
    assert sorted(map(int, script.rest())) == list(range(100))
    assert "Traceback" not in script.stderr


def test_ctrl_c_cuts_it_short(scene: Scene) -> None:
    server = scene.serve()
    script = scene.start(
        BEGIN
        + """
def watch():
    names = []
    while not ("wait" in names[:1] and "_call_farewells" in names):
        time.sleep(0.001)
        frame, names = sys._current_frames()[threading.main_thread().ident], []
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
    print("waiting", flush=True)

client = RouteClient(connector).init()
client.request("echo", 1)
print("ready", flush=True)
signal.sigwait([signal.SIGUSR1])
client.throw("note", 1)
threading.Thread(target=watch, daemon=True).start()
"""
    )
    assert script.line() == "ready"
    server.send(signal.SIGSTOP)
    script.send(signal.SIGUSR1)
    assert script.line() == "waiting"
    script.send(signal.SIGINT)
    assert script.end(10) == 0
    assert "interrupted" in script.stderr
    server.send(signal.SIGCONT)


def test_an_exception_that_nobody_catches(scene: Scene) -> None:
    scene.serve()
    script = scene.start(BEGIN + THROW + "main()\nraise ValueError('nobody')")
    assert script.end() == 1
    assert "ValueError: nobody" in script.stderr
    assert notes(scene) == list(range(1000))


def test_the_server_is_gone(scene: Scene) -> None:
    server = scene.serve()
    script = scene.start(
        BEGIN
        + """
from communica_like import Limits
client = RouteClient(connector, limits=Limits(resume_window=0.2)).init()
print("ready", flush=True)
while client.connected:
    time.sleep(0.01)
client.throw("note", 1)
"""
    )
    assert script.line() == "ready"
    server.kill()
    assert script.end(10) == 0
    assert "1 throws" in script.stderr


def test_a_server_that_nobody_closed_leaves_no_socket(scene: Scene) -> None:
    script = scene.start(BEGIN + "SimpleServer(connector).init()")
    assert script.end() == 0
    assert not list(scene.folder.iterdir())
