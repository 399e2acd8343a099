"""Ctrl-C: a real SIGINT to a real process, in each blocking call. Nothing is lost, nothing comes twice."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from communica_like.blocking.portal.call import _CANCEL_TIMEOUT
from tests.blocking.media import MEDIA, PATIENCE, opened, program
from tests.process import Program


@pytest.fixture(params=MEDIA)
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    with MEDIA[request.param]() as name:
        yield name


@pytest.fixture
def target(name: str) -> Iterator[Any]:
    """This process's handle on the queue."""
    queue = opened(name)
    yield queue
    if name.startswith("sysv"):
        queue.close(remove=False)
    else:
        queue.close()


source = target


def test_get_ends_at_once_and_the_next_one_gets(name: str, target: Any) -> None:
    with program("blocked_get", name) as child:
        assert child.line() == "waits"
        child.until_asleep(threads=2)
        began = time.monotonic()
        child.send(signal.SIGINT)
        assert child.line() == "interrupted"
        assert time.monotonic() - began < _CANCEL_TIMEOUT, "nothing was waited for in vain"
        target.put_nowait("the item")
        assert child.line() == "the item"
        assert child.end() == 0


def test_put_ends_at_once_and_has_put_nothing(name: str, source: Any) -> None:
    with program("blocked_put", name) as child:
        count = int(child.line())
        child.until_asleep(threads=2)
        began = time.monotonic()
        child.send(signal.SIGINT)
        assert child.line() == "interrupted"
        assert time.monotonic() - began < _CANCEL_TIMEOUT, "nothing was waited for in vain"
        assert [source.get_nowait()[0] for _ in range(count)] == list(range(count))
        with pytest.raises(queue.Empty):
            source.get_nowait()


class Storm:
    """SIGINT to a process, at every moment."""

    def __init__(self, child: Program) -> None:
        self._pid = child.pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._blow)

    def _blow(self) -> None:
        pause = 0.0001
        while not self._over.wait(pause):
            os.kill(self._pid, signal.SIGINT)
            pause = 0.0001 + (pause * 7) % 0.0013

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


COUNT = 1500


def put_numbers(target: Any, child: Program, count: int) -> int:
    """Put numbers, so many at least, until the child was interrupted often enough; then None."""
    number = 0
    while number < count or not child.has_line():
        target.put(number, timeout=PATIENCE)
        number += 1
        if number % 8 == 0:
            time.sleep(0.0005)  # so that it waits now and then
    target.put(None, timeout=PATIENCE)
    assert child.line() == "enough"
    return number


def test_a_storm_of_interrupts_in_get(name: str, target: Any) -> None:
    with program("hammered_get", name, 20) as child:
        assert child.line() == "ready"
        with Storm(child):
            count = put_numbers(target, child, COUNT)
        assert int(child.line()) == count
        assert int(child.line()) <= 3
        assert child.end() == 0


def test_alarms_in_get(name: str, target: Any) -> None:
    """An Exception from a handler is not taken for the queue's own."""
    with program("hammered_alarm", name, 20) as child:
        count = put_numbers(target, child, COUNT // 2)
        assert int(child.line()) == count
        assert child.end() == 0


def test_a_storm_of_interrupts_in_put(name: str, source: Any) -> None:
    """What a put that was not interrupted has put arrives; the rest arrives once, or not."""
    got = []
    with program("hammered_put", name, COUNT, 4) as child:
        assert child.line() == "ready"
        with Storm(child):
            while (item := source.get(timeout=PATIENCE)) is not None:
                got.append(item)
        count = int(child.line())
        doubtful = set(map(int, child.line().split()))
        assert child.end() == 0
    assert got == sorted(set(got))
    assert set(range(count)) - set(got) <= doubtful


def test_interrupts_while_the_portal_starts(name: str, target: Any) -> None:
    with program("first_wait", name) as child:
        assert child.line() == "ready"
        with Storm(child):
            assert child.line() == "waits"
        child.until_asleep(threads=2)
        target.put_nowait("the item")
        assert child.line() == "the item"
        assert child.line().count("communica_like portal") == 1
        assert child.end() == 0
