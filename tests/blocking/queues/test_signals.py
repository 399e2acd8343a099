"""Signals whose handlers return: they end the waiting of ipcqueue's kind of queues, and of no others."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from communica_like.blocking import Portal
from communica_like.blocking.portal.interrupts import SignalWatch
from communica_like.blocking.queues.errors import QueueError
from tests.blocking.media import MEDIA, PATIENCE, opened

KERNEL = ["posix", "sysv"]


@contextlib.contextmanager
def signals() -> Iterator[list[int]]:
    """SIGUSR1 to the main thread, again and again. The list has those that were handled."""
    handled: list[int] = []
    over = threading.Event()
    main = threading.main_thread().ident or 0

    def send() -> None:
        while not over.wait(0.01):
            signal.pthread_kill(main, signal.SIGUSR1)

    former = signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield handled
    finally:
        over.set()
        sending.join()
        signal.signal(signal.SIGUSR1, former)


@pytest.fixture(params=KERNEL)
def items(request: pytest.FixtureRequest) -> Iterator[Any]:
    with MEDIA[request.param]() as name:
        items = opened(name)
        yield items
        if name.startswith("sysv"):
            items.close(remove=False)
        else:
            items.close()


@pytest.fixture
def pipe() -> Iterator[Any]:
    with MEDIA["pipe"]() as name, opened(name) as items:
        yield items


def interrupted(call: Callable[[], object]) -> None:
    with pytest.raises(QueueError) as caught:
        call()
    assert caught.value.errno == QueueError.INTERRUPTED == errno.EINTR
    assert str(caught.value) == "EINTR, [Errno 4] Interrupted system call"


def test_a_get_that_waits_ends_and_has_taken_nothing(items: Any) -> None:
    with signals():
        interrupted(items.get)
        interrupted(lambda: items.get(timeout=PATIENCE))
    items.put(1)
    assert items.get() == 1


def test_a_put_that_waits_ends_and_has_put_nothing(items: Any) -> None:
    count = 0
    with contextlib.suppress(queue.Full):
        while True:
            items.put_nowait(count)
            count += 1
    with signals():
        interrupted(lambda: items.put("no"))
    assert [items.get_nowait() for _ in range(count)] == list(range(count))
    with pytest.raises(queue.Empty):
        items.get_nowait()


def test_what_does_not_wait_goes_on(items: Any) -> None:
    with signals() as handled:
        while len(handled) < 5:
            items.put("item")
            assert items.get() == "item"


def test_nothing_is_lost_or_doubled(items: Any) -> None:
    count = 300
    pause = threading.Event()

    def write() -> None:
        for number in range(count):
            items.put(number, timeout=PATIENCE)
            pause.wait(0.001)

    writing = threading.Thread(target=write)
    writing.start()
    got: list[int] = []
    interruptions = 0
    with signals():
        while len(got) < count or not interruptions:
            try:
                got.append(items.get(timeout=PATIENCE))
            except QueueError as exc:
                if exc.errno != QueueError.INTERRUPTED:
                    raise
                interruptions += 1
    writing.join()
    assert got == list(range(count))


def test_other_threads_wait_on(items: Any) -> None:
    outcome: queue.SimpleQueue[Any] = queue.SimpleQueue()
    waiting = threading.Thread(target=lambda: outcome.put(items.get(timeout=PATIENCE)))
    with signals() as handled:
        waiting.start()
        while len(handled) < 20:
            waiting.join(0.01)
        assert waiting.is_alive()
        items.put("item")
        waiting.join(PATIENCE)
    assert outcome.get_nowait() == "item"


def test_pipes_wait_on(pipe: Any) -> None:
    with signals() as handled, pytest.raises(queue.Empty):
        pipe.get(timeout=0.3)
    assert handled


def test_a_descriptor_that_somebody_else_has_set_stays_his(items: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        former = signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
        try:
            with signals() as handled, pytest.raises(queue.Empty):
                items.get(timeout=0.3)
            assert handled
        finally:
            assert signal.set_wakeup_fd(former) == ours.fileno()


def test_nothing_is_set_afterwards(items: Any) -> None:
    with signals():
        interrupted(items.get)
    with pytest.raises(queue.Empty):
        items.get(timeout=0.01)
    assert signal.set_wakeup_fd(-1) == -1


def test_a_call_that_has_not_begun_is_given_up() -> None:
    began = []

    async def never() -> None:
        began.append(True)

    with Portal() as portal:
        held, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            held.set()
            go_on.wait(PATIENCE)

        portal.loop.call_soon_threadsafe(hold)
        assert held.wait(PATIENCE)
        timer = threading.Timer(0.3, go_on.set)
        timer.start()
        with signals(), pytest.raises(InterruptedError):
            portal.run_made(never, interruptible=True)
        timer.join()
    assert not began


def test_a_forked_process_watches_for_itself() -> None:
    with SignalWatch():
        pass
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            signal.signal(signal.SIGUSR1, lambda number, frame: None)
            with SignalWatch() as watch:
                signal.raise_signal(signal.SIGUSR1)
                code = 0 if watch.seen() and not watch.seen() else 2
        os._exit(code)
    with SignalWatch() as watch:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert not watch.seen()
