"""Programs that use ipcq alone: ``python -m tests.interop.programs.ipcq_caller NAME ADDRESS``.

The key is always b"key".
"""

from __future__ import annotations

import queue
import sys
from typing import Any

import ipcq

__all__: list[str] = []


def serve(address: str) -> None:
    """Hold queues until stdin ends."""
    with ipcq.QueueManagerServer(address, b"key"):
        print("serving", flush=True)
        sys.stdin.read()


def echo(address: str) -> None:
    """Give back what comes, and its type's name, until that is None."""
    client = ipcq.QueueManagerClient(address, b"key")
    items, answers = client.get_queue("items"), client.get_queue("answers")
    item: Any = ...
    while item is not None:
        item = items.get()
        answers.put((item, type(item).__name__))


def wait(address: str) -> None:
    """Wait for an item."""
    items = ipcq.QueueManagerClient(address, b"key").get_queue("items")
    items.empty()
    print("waiting", flush=True)
    print(items.get(), flush=True)


def use(address: str) -> None:
    """Do all that a queue.Queue does, with a bounded one, and say what came of it."""
    items = ipcq.QueueManagerClient(address, b"key").get_queue(7)
    said: list[Any] = [items.empty(), items.full(), items.qsize()]
    items.put(b"raw")
    items.put({"a": [1]}, True, 20)
    said += [items.full(), items.qsize()]
    for arguments in ((3, True, 0.01), (3, False)):
        try:
            items.put(*arguments)
        except queue.Full:
            said.append("full")
    said += [items.get(), items.get(True, 20)]
    for attempt in (items.get_nowait, lambda: items.get(True, 0.01), lambda: items.get(False)):
        try:
            attempt()
        except queue.Empty:
            said.append("empty")
    print(said, flush=True)


def work(address: str) -> None:
    """Use what a server of ours has beside; wait in join; and say task_done too often."""
    items = ipcq.QueueManagerClient(address, b"key").get_queue("items")
    print(items.get(), flush=True)
    items.task_done()
    while items.empty():
        pass
    print("joining", flush=True)
    items.join()
    print("joined", flush=True)
    try:
        items.task_done()
    except ValueError:
        print("called too often", flush=True)


if __name__ == "__main__":
    {"serve": serve, "echo": echo, "wait": wait, "use": use, "work": work}[sys.argv[1]](sys.argv[2])
