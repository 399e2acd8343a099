"""Ctrl-C, in real processes, and forks: nothing is lost, and nothing hangs."""

from __future__ import annotations

import threading
import time

import pytest

from communica_like.blocking.manager import QueueManagerServer

from .stage import PATIENCE, Child

CHILD = "tests.blocking.manager.child"


@pytest.mark.parametrize("call", ["get", "put", "join"])
def test_it_ends_at_once_and_the_next_get_has_all(server: QueueManagerServer, call: str) -> None:
    full = server.get_queue("full", max_items=1)
    full.put("full")
    items = server.get_queue("items")
    with Child(CHILD, "interrupted", server.address, call) as child:
        assert child.line() == "waiting"
        child.until_parked()
        child.interrupt()
        assert child.line() == "interrupted"
        for number in range(5):
            items.put(number)
        items.put(None)
        assert child.end() == "0\n1\n2\n3\n4\n"
    assert full.get() == "full"
    assert full.empty()  # what was interrupted was not put


@pytest.mark.parametrize("pause", [0.0, 0.0002, 0.003])
def test_wherever_it_strikes_nothing_is_lost_or_doubled(server: QueueManagerServer, pause: float) -> None:
    """With a pause, the reader waits most of the time, or for a moment; without, the items are there."""
    count = 300 if pause > 0.001 else 3000
    items = server.get_queue("items")
    with Child(CHILD, "hammered", server.address) as child:
        assert child.line() == "waiting"
        writing = threading.Event()

        def strike() -> None:
            seconds = 0.0017
            while not writing.wait(seconds):
                child.interrupt()
                seconds *= 1.002  # on a busy machine, nothing would ever succeed in between

        striking = threading.Thread(target=strike)
        striking.start()
        try:
            for number in range(count):
                items.put(number)
                if pause:
                    time.sleep(pause)
            deadline = time.monotonic() + 3 * PATIENCE
            while not items.empty():
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            writing.set()
            striking.join()
        items.put(None)
        interrupts, *got = map(int, child.line().split())
    assert interrupts > 10
    assert got == list(range(count))


def test_forks_in_mid_use(server: QueueManagerServer) -> None:
    with Child(CHILD, "forked", server.address, env={"PYTHONWARNINGS": "ignore"}) as child:
        assert child.end().split() == [word for number in range(20) for word in ("child", str(number))]
