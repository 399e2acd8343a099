"""What Ctrl-C must not leave half done, at whatever moment it comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from communica_like.blocking.portal.interrupts import uninterrupted
from tests.blocking.media import PATIENCE, until


class Interruption(Exception):
    """What the handler of a signal raises."""


@pytest.fixture
def interrupted() -> Iterator[threading.Event]:
    """Set when SIGUSR1 is about to raise Interruption in the main thread."""
    event = threading.Event()

    def interrupt(*_: object) -> None:
        event.set()
        raise Interruption

    former = signal.signal(signal.SIGUSR1, interrupt)
    yield event
    signal.signal(signal.SIGUSR1, former)


def test_results_and_errors() -> None:
    assert uninterrupted(threading.current_thread) is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        uninterrupted(lambda: 1 // 0)


def test_another_thread_calls_it_itself() -> None:
    got: list[bool] = []
    thread = threading.Thread(
        target=lambda: got.append(uninterrupted(threading.current_thread) is threading.current_thread())
    )
    thread.start()
    thread.join()
    assert got == [True]


def test_interrupted_in_the_middle(interrupted: threading.Event) -> None:
    undone: list[str] = []

    def function() -> str:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        assert interrupted.wait(PATIENCE)
        return "done"

    with pytest.raises(Interruption):
        uninterrupted(function, undone.append)
    assert undone == ["done"]


@pytest.mark.parametrize("when", ["before there is a thread", "when it has its number", "when it runs"])
def test_interrupted_while_the_thread_starts(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by an exception of which threading makes that the thread is not to run: see Thread.start."""
    start = threading.Thread.start
    calls: list[str] = []
    undone: list[str] = []

    def start_interrupted(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        if when == "when it has its number":
            monkeypatch.setattr(thread, "_ident", 1)
        elif when == "when it runs":
            start(thread)
            until(lambda: calls, "it runs")
        raise Interruption

    def function() -> str:
        calls.append("called")
        return "its result"

    monkeypatch.setattr("communica_like.blocking.portal.interrupts._FINISH_TIMEOUT", PATIENCE)
    monkeypatch.setattr(threading.Thread, "start", start_interrupted)
    with pytest.raises(Interruption):
        uninterrupted(function, undone.append)
    assert (calls, undone) == (["called"], ["its result"])
