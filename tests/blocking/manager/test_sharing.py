"""The queues of managers, shared by threads and processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time
from typing import Any

import pytest

from communica_like.blocking.manager import QueueManagerClient, QueueManagerServer
from communica_like.exceptions import SerializerError

from .stage import PATIENCE


def test_many_threads_share_one_queue(client: QueueManagerClient) -> None:
    count, each = 8, 150
    got: list[list[tuple[int, int]]] = [[] for _ in range(count)]

    def write(who: int) -> None:
        for number in range(each):
            client.get_queue("shared", max_items=5).put((who, number), timeout=PATIENCE)

    def read(who: int) -> None:
        while len(got[who]) < each:
            got[who].append(client.get_queue("shared", max_items=5).get(timeout=PATIENCE))

    threads = [threading.Thread(target=call, args=(who,)) for who in range(count) for call in (write, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [(who, number) for who in range(count) for number in range(each)]
    assert sorted(item for mine in got for item in mine) == expected
    for mine in got:
        for who in range(count):
            numbers = [number for writer, number in mine if writer == who]
            assert numbers == sorted(numbers)


def test_queues_that_are_dropped_leave_nothing(server: QueueManagerServer) -> None:
    server.get_queue().put("kept")
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    threads = threading.active_count()
    for number in range(20):
        QueueManagerClient(server.address, b"key").get_queue("many").put(number)
    gc.collect()
    assert [server.get_queue("many").get(timeout=PATIENCE) for _ in range(20)] == list(range(20))
    deadline = time.monotonic() + PATIENCE
    while threading.active_count() > threads + 2:  # of the queue "many" itself, on both sides
        assert time.monotonic() < deadline
        time.sleep(0.01)
    if before:
        assert len(os.listdir("/proc/self/fd")) < before + 12


def worker(items: Any, answers: Any) -> None:
    answers.put(("by the child", items.get()))
    answers.join()


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_queue_as_an_argument_of_a_process(server: QueueManagerServer, method: str) -> None:
    items, answers = server.get_queue(), server.get_queue("answers")
    items.put("item")
    context: Any = multiprocessing.get_context(method)
    child = context.Process(target=worker, args=(items, answers))
    child.start()
    assert answers.get(timeout=PATIENCE) == ("by the child", "item")
    assert child.is_alive()
    answers.task_done()
    child.join(PATIENCE)
    assert child.exitcode == 0
    with pytest.raises(SerializerError, match="security"):
        server.get_queue("other").put(items)  # its key would go along


