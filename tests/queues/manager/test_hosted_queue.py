"""The queue in its host, whose thread is made to hear several things at once."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from communica_like.queues.manager.hosted_queue import HostedQueue
from communica_like.queues.manager.protocol import Kind
from communica_like.queues.manager.server_loop import FrameLoop
from communica_like.queues.manager.service import QueueService

from .frame_end import PATIENCE, End


class Stage:
    """A queue and its hearing."""

    def __init__(self) -> None:
        self.loop = FrameLoop("test")
        self.hosted = HostedQueue(self.loop)
        self.clients: list[End] = []
        self.loop.start()

    def client(self) -> End:
        ours, theirs = socket.socketpair()
        QueueService(theirs, self.hosted, self.loop)
        self.clients.append(End(ours))
        return self.clients[-1]

    @contextlib.contextmanager
    def deaf(self) -> Iterator[None]:
        """What is said meanwhile is heard at once afterwards."""
        is_deaf, goes_on = threading.Event(), threading.Event()

        def wait() -> None:
            is_deaf.set()
            goes_on.wait(PATIENCE)

        self.loop.when_heard(wait)
        assert is_deaf.wait(PATIENCE)
        yield
        goes_on.set()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.loop.stop()
    for client in stage.clients:
        client.socket.close()


def ask_for_one(client: End) -> None:
    client.say(Kind.TRY_ITEM, 77)


def wait_for_one(client: End) -> None:
    client.say(Kind.ASK_ITEM, 77)


def glance(client: End) -> None:
    client.say(Kind.GLANCE, 77)


@pytest.mark.parametrize("ask", [ask_for_one, wait_for_one, glance])
def test_what_a_killed_reader_had_is_back_before_anybody_else_is_answered(
    stage: Stage, ask: Callable[[End], None]
) -> None:
    asking, killed, writer = stage.client(), stage.client(), stage.client()
    for number, item in enumerate([b"taken", b"first", b"second", b"third"]):
        writer.say(Kind.TRY_PUT, number, item)
        assert writer.hear()[0] is Kind.DONE
    for number, item in enumerate([b"taken", b"first", b"second"]):
        killed.say(Kind.TRY_ITEM, number)
        assert killed.hear() == (Kind.ITEM, number, item)
    with stage.deaf():
        killed.say(Kind.TAKEN, 0)
        killed.socket.close()
        ask(asking)
    assert asking.hear() == (Kind.ITEM, 77, b"first")
    for item in (b"second", b"third"):
        ask_for_one(asking)
        assert asking.hear() == (Kind.ITEM, 77, item)


def test_there_is_none_when_all_is_heard_that_was_said_before(stage: Stage) -> None:
    asking, writer = stage.client(), stage.client()
    writer.say(Kind.MAY_POST, 0)
    assert writer.hear() == (Kind.DONE, 0, b"")
    for _ in range(50):
        with stage.deaf():
            writer.say(Kind.POST, 0, b"item")
            ask_for_one(asking)
        assert asking.hear() == (Kind.ITEM, 77, b"item")
        asking.say(Kind.TAKEN, 77)
        with stage.deaf():
            writer.say(Kind.POST, 0, b"")
            asking.say(Kind.SIZE, 1)
        assert asking.hear()[:2] == (Kind.COUNT, 1)
        ask_for_one(asking)
        assert asking.hear()[0] is Kind.ITEM
        asking.say(Kind.TAKEN, 77)
        ask_for_one(asking)
        assert asking.hear()[0] is Kind.REFUSED


def test_those_who_only_look_do_not_wait_for_each_other(stage: Stage) -> None:
    both = stage.client(), stage.client()
    for each in both:
        each.say(Kind.MAY_POST, 0)
        assert each.hear() == (Kind.DONE, 0, b"")
    with stage.deaf():
        for each in both:
            ask_for_one(each)
    for each in both:
        assert each.hear() == (Kind.REFUSED, 77, b"")


@pytest.mark.parametrize("ending", [Kind.FILL, Kind.BACK])
def test_there_is_none_when_the_last_put_that_was_half_way_has_ended(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, ending: Kind
) -> None:
    monkeypatch.setattr("communica_like.queues.manager.hosted_queue._HALF_WAY", 2 * PATIENCE)
    asking, waiting, writer = stage.client(), stage.client(), stage.client()
    waiting.say(Kind.ASK_ITEM, 1)
    waiting.say(Kind.SIZE, 2)
    assert waiting.hear()[0] is Kind.COUNT
    writer.say(Kind.TRY_ROOM, 1)
    assert writer.hear() == (Kind.ROOM, 1, b"")
    ask_for_one(asking)
    writer.say(Kind.TASK_DONE, 2)
    assert writer.hear()[0] is Kind.REFUSED
    for _ in range(3):  # until it waits for that put alone
        with stage.deaf():
            pass
    assert stage.hosted._looks
    writer.say(ending, 1, b"item" if ending is Kind.FILL else None)
    assert asking.hear() == (Kind.REFUSED, 77, b"")


def test_an_item_that_comes_back_is_the_next_one(stage: Stage) -> None:
    first, second = stage.client(), stage.client()
    for number in range(4):
        second.say(Kind.TRY_PUT, number, str(number).encode())
        assert second.hear()[0] is Kind.DONE
    for number in range(2):
        first.say(Kind.TRY_ITEM, number)
        assert first.hear() == (Kind.ITEM, number, str(number).encode())
    second.say(Kind.TRY_ITEM, 10)
    assert second.hear()[2] == b"2"
    for number in (1, 0):
        first.say(Kind.BACK, number)
    first.say(Kind.SIZE, 2)  # with its answer they are back
    assert first.hear()[0] is Kind.COUNT
    for number in (0, 1, 3):
        second.say(Kind.TRY_ITEM, 20 + number)
        assert second.hear()[2] == str(number).encode()


def test_a_glance_is_a_request_that_may_be_repeated(stage: Stage) -> None:
    reader, writer = stage.client(), stage.client()
    for _ in range(2):
        reader.say(Kind.GLANCE, 5)
        assert reader.hear() == (Kind.LATER, 5, b"")
    writer.say(Kind.TRY_PUT, 1, b"item")
    assert reader.hear() == (Kind.ITEM, 5, b"item")
    reader.say(Kind.GLANCE, 5)  # which crossed with the item
    reader.say(Kind.TAKEN, 5)
    large = bytes(100_000)
    assert writer.hear()[0] is Kind.DONE
    writer.say(Kind.TRY_PUT, 2, large)
    assert writer.hear()[0] is Kind.DONE
    reader.say(Kind.GLANCE, 6)
    assert reader.hear()[:2] == (Kind.COMING, 6)
    assert reader.hear() == (Kind.ITEM, 6, large)


def test_whoever_comes_when_all_has_ended_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = FrameLoop("test")
    loop.start()
    loop.stop()
    # Its thread has done all that it had to do, and not ended.
    monkeypatch.setattr(loop, "_thread", threading.current_thread())
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(PATIENCE)
        QueueService(theirs, HostedQueue(loop), loop)
        assert ours.recv(1) == b""
