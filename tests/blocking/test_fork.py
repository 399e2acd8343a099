"""A process with blocking entities forks, in the middle of everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.blocking.scene import Scene

BEGIN = """
import os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is what this is about
from communica_like import connector_from
from communica_like.blocking import Portal, RouteClient, RouteServer
connector = connector_from(sys.argv[1])

def fork(function):
    pid = os.fork()
    if pid:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print("exit code", code, flush=True)
    else:
        function()
        sys.exit()

def tell(function):
    try:
        print(function(), flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
"""
ERROR = (
    "RuntimeError this object was made before the process was forked and belongs to the parent: "
    "make a new one"
)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


def said(scene: Scene, text: str) -> list[str]:
    """What it printed; it has ended well, and has not complained."""
    script = scene.start(BEGIN + text)
    lines = script.rest()
    assert (script.end(), script.stderr) == (0, "")
    return lines


def test_a_client_of_the_parent_is_an_error(scene: Scene) -> None:
    server = scene.serve()
    text = """
client = RouteClient(connector).init()
def child():
    for call in (client.request, client.throw):
        tell(lambda: call("echo", 1))
    tell(client.init)
    tell(client.run)
    tell(client.close)  # it is not its own
fork(child)
tell(lambda: client.request("pid", None))
client.close()
"""
    assert said(scene, text) == [ERROR] * 4 + ["None", "exit code 0", str(server.pid)]


def test_leaving_the_parents_block(scene: Scene) -> None:
    scene.serve()
    text = """
with RouteClient(connector) as client:
    pid = os.fork()
    if not pid:
        sys.exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), client.request("echo", "goes on"), flush=True)
"""
    assert said(scene, text) == ["7 goes on"]


@pytest.mark.parametrize("portal", ["None", "Portal()"])
def test_a_fresh_one_in_the_child(scene: Scene, portal: str) -> None:
    scene.serve()
    text = f"""
client = RouteClient(connector, client_id="parent", portal={portal}).init()
def child():
    with RouteClient(connector, client_id="child", portal={portal}) as other:
        tell(lambda: other.request("echo", "child"))
    forgotten = RouteClient(connector, portal={portal}).init()
    forgotten.throw("note", 1)
for _ in range(3):
    fork(child)
    tell(lambda: client.request("echo", "parent"))
tell(lambda: client.request("notes", None))
"""
    assert said(scene, text) == ["child", "exit code 0", "parent"] * 3 + ["[1, 1, 1]"]


def test_one_that_was_not_started_serves_the_child(scene: Scene) -> None:
    scene.serve()
    text = """
client = RouteClient(connector)
other = RouteClient(connector).init()
def child():
    with client:
        tell(lambda: client.request("echo", "child"))
fork(child)
with client:
    tell(lambda: client.request("echo", "parent"))
"""
    assert said(scene, text) == ["child", "exit code 0", "parent"]


def test_in_mid_use(scene: Scene) -> None:
    """Threads make calls all the while; the children live and die as they like."""
    scene.serve()
    text = """
over = threading.Event()
wrong = []
client = RouteClient(connector).init()
def use(number):
    while not over.is_set():
        if client.request("echo", number) != number:
            wrong.append(number)
threads = [threading.Thread(target=use, args=(number,)) for number in range(5)]
for thread in threads:
    thread.start()
def child():
    with RouteClient(connector) as other:
        assert other.request("echo", "child") == "child"
    try:
        client.request("echo", 1)
    except RuntimeError:
        return
    os._exit(1)
for _ in range(5):
    fork(child)
over.set()
for thread in threads:
    thread.join()
print(wrong, client.request("echo", 5), flush=True)
"""
    assert said(scene, text) == ["exit code 0"] * 5 + ["[] 5"]


def test_a_server_forks_in_its_handler(scene: Scene) -> None:
    text = """
server = RouteServer(connector)
@server.routes.handler("fork")
def fork_here(_):
    pid = os.fork()
    if not pid:
        tell(lambda: server.close())
        tell(lambda: server.request("x", 1))
        os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
with server, RouteClient(connector) as client:
    for _ in range(3):
        tell(lambda: client.request("fork", None, timeout=20))
"""
    assert said(scene, text) == ["None", ERROR, "3"] * 3
