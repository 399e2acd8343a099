"""A line whose thread stands back while others read, and does what they do not do."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from communica_like.queues.manager.frame_reader import FrameReader

PATIENCE = 20.0


class Stage:
    """A line, the thread that runs it, and somebody who reads for himself until the test ends."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.theirs.settimeout(PATIENCE)
        self.line = FrameReader(ours, lambda data: None)
        self.over = threading.Event()
        self.running = threading.Thread(target=self.line.run)
        self.reading = threading.Thread(target=self.line.read_for, args=(self.over.is_set, PATIENCE))

    def close(self) -> None:
        self.over.set()
        self.line.hang_up()
        for each in (self.running, self.reading):
            each.join(PATIENCE)
        self.theirs.close()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    # As long as somebody reads the thread would rest, if nobody woke it.
    monkeypatch.setattr("communica_like.queues.manager.frame_reader._REST", int(2 * PATIENCE * 1000))
    stage = Stage()
    stage.reading.start()
    until(stage.line._reading.locked)
    stage.running.start()
    yield stage
    stage.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0)


def test_what_is_not_sent_at_once_is_sent_while_another_reads(stage: Stage) -> None:
    for size in (1_000_000, 10, 2_000_000):
        stage.line.send(bytes(size))
        left = size + 4
        while left:
            left -= len(stage.theirs.recv(left))


def test_it_ends_while_another_reads(stage: Stage) -> None:
    stage.line.end()
    assert stage.theirs.recv(1) == b""
    stage.running.join(PATIENCE)
    assert not stage.running.is_alive()
