"""Programs around a QueueManagerServer: ``python -m tests.blocking.manager.child NAME ADDRESS ...``.

The key is always b"key"; an address is the path of a socket.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from communica_like.blocking.manager import Address, AuthKey, QueueManagerClient, QueueManagerServer

__all__: list[str] = []

KEY = b"key"


def say(*words: object) -> None:
    print(*words, flush=True)


def serve(address: str) -> None:
    """Hold queues until stdin ends."""
    with QueueManagerServer(address, KEY):
        say("serving")
        sys.stdin.read()


def serve_forever(address: str) -> None:
    """The same, by what BaseManager has for it, until Ctrl-C."""
    server = QueueManagerServer(address, KEY).get_server()
    say("serving")
    server.serve_forever()
    say("ended")


def forget(address: str) -> None:
    """Start a server, wait in a queue, and end without a word."""
    server = QueueManagerServer(address, KEY)
    server.start()
    client = QueueManagerClient(address, KEY)
    threading.Thread(target=client.get_queue().get, daemon=True).start()
    server.get_queue("other").put(1)
    client.get_queue("other").get(timeout=5)
    say("ends")


def read(address: str, count: str) -> None:
    """Take numbers, say which, and that they are done."""
    items = QueueManagerClient(address, KEY).get_queue()
    for _ in range(int(count)):
        say(items.get())
        items.task_done()


def cwd() -> None:
    """Put what the other side waits for, by an address that depends on the directory."""
    QueueManagerClient(Address.CWD, AuthKey.EMPTY).get_queue().put("from the same directory")


def interrupted(address: str, call: str) -> None:
    """Wait in get, put or join until Ctrl-C; say so; then take items until one is None."""
    client = QueueManagerClient(address, KEY)
    items = client.get_queue("items")
    waits: dict[str, Any] = {
        "get": items.get,
        "put": lambda: client.get_queue("full").put(1),
        "join": client.get_queue("full").join,
    }
    try:
        say("waiting")
        waits[call]()
    except KeyboardInterrupt:
        say("interrupted")
    while (item := items.get()) is not None:
        say(item)


def hammered(address: str) -> None:
    """Take items until one is None, whatever Ctrl-C comes in between."""
    items = QueueManagerClient(address, KEY).get_queue("items")
    got: list[Any] = [...]
    armed: list[bool] = []
    interrupts = 0

    def struck(number: int, frame: object) -> None:
        if armed:  # if not, it would strike this program itself
            armed.clear()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, struck)
    say("waiting")
    while got[-1] is not None:
        try:
            armed.append(True)
            got.extend(map(items.get, (True,)))  # so that nothing lies between the two for a signal
            armed.clear()
        except KeyboardInterrupt:
            interrupts += 1
    say(interrupts, *got[1:-1])


def forked(address: str) -> None:
    """Fork while a thread waits in a queue and another one is busy; the child uses all of it."""
    client = QueueManagerClient(address, KEY)
    items, busy = client.get_queue("items"), client.get_queue("busy")
    threading.Thread(target=client.get_queue("never").get, daemon=True).start()

    def work() -> None:
        while True:
            busy.put(1)
            busy.get()

    threading.Thread(target=work, daemon=True).start()
    for number in range(20):
        pid = os.fork()
        if pid == 0:
            try:
                items.put(("child", number))
                busy.put(2)
                busy.get(timeout=10)
                client.get_queue("never").empty()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        say(*items.get(timeout=10))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
