"""The queue in its host: what is heard when, and what is answered."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from communica_like.queues.manager.hosted_queue import HostedQueue
from communica_like.queues.manager.protocol import Item, Kind
from communica_like.queues.manager.server_loop import ServerLoop
from communica_like.queues.manager.service import QueueService

from .frame_end import PATIENCE, End
from .stage import Stage, stage


@pytest.fixture
def scene() -> Iterator[Stage]:
    with stage() as scene:
        yield scene


@pytest.fixture
def small() -> Iterator[Stage]:
    """With room for two items."""
    with stage(2) as scene:
        yield scene


def get_now(end: End, number: int) -> None:
    end.say(Kind.GET, number)
    end.say(Kind.NOW, number)


def wait(end: End, number: int) -> None:
    end.say(Kind.GET, number)


def put(scene: Stage, end: End, number: int, item: bytes) -> bool:
    """Put an item now; return whether there was room."""
    end.say(Kind.PUT, number, item)
    end.say(Kind.NOW, number)
    scene.settle()
    if [frame.kind for frame in end.heard()] == [Kind.REFUSED]:
        return False
    end.say(Kind.COMMIT, number)
    scene.settle()
    return True


def took(scene: Stage, end: End, number: int) -> bytes | None:
    """Get an item now, or None, and keep it leased."""
    get_now(end, number)
    scene.settle()
    (frame,) = end.heard()
    assert frame.number == number
    return None if frame.item is None else frame.item.data


@pytest.mark.parametrize("ask", [get_now, wait])
@pytest.mark.parametrize("clients", ["asking first", "killed first"])
def test_what_a_killed_reader_had_is_back_before_others_are_answered(
    scene: Stage, ask: Callable[[End, int], None], clients: str
) -> None:
    ends = scene.client(), scene.client()
    asking, killed = ends if clients == "asking first" else ends[::-1]
    for item in (b"acked", b"first", b"second", b"third"):
        killed.say(Kind.POST, 0, item)
    for number, item in enumerate([b"acked", b"first", b"second"]):
        assert took(scene, killed, number) == item
    killed.say(Kind.ACK, 0)
    killed.socket.close()
    ask(asking, 77)
    scene.settle()
    assert asking.hear() == (Kind.ITEM, 77, b"first")
    assert [took(scene, asking, number) for number in (78, 79, 80)] == [b"second", b"third", None]


@pytest.mark.parametrize("looks", [0, 1])
def test_what_was_said_in_the_middle_of_a_look_is_heard_before_the_answer(scene: Stage, looks: int) -> None:
    """poll(2) looks at the writer, then the item is put and asked for, then it looks at the reader."""
    writer, asking = scene.client(), scene.client()
    said: list[int] = []

    def say() -> None:
        if len(said) == looks:
            writer.say(Kind.POST, 0, b"item")
            get_now(asking, 1)
        said.append(1)

    scene.meanwhile = say
    scene.settle()
    assert asking.hear() == (Kind.ITEM, 1, b"item")


def test_the_size_is_that_of_all_that_was_said(scene: Stage) -> None:
    writer, asking = scene.client(), scene.client()
    asking.say(Kind.SIZE, 1)
    writer.say(Kind.POST, 0, b"item")
    scene.settle()
    (count,) = asking.heard()
    assert (count.kind, count.size, count.used) == (Kind.COUNT, 1, 1)
    assert took(scene, writer, 1) == b"item"
    asking.say(Kind.SIZE, 2)
    scene.settle()
    (count,) = asking.heard()
    assert (count.size, count.used) == (0, 1)


def test_an_item_that_comes_back_is_where_it_was(scene: Stage) -> None:
    first, second = scene.client(), scene.client()
    for number in range(4):
        second.say(Kind.POST, 0, str(number).encode())
    assert [took(scene, first, number) for number in range(2)] == [b"0", b"1"]
    assert took(scene, second, 10) == b"2"
    for number in (1, 0):
        first.say(Kind.BACK, number)
    assert [took(scene, second, number) for number in (20, 21, 22, 23)] == [b"0", b"1", b"3", None]
    first.say(Kind.BACK, 0)  # once more, which changes nothing
    second.say(Kind.BACK, 10)
    assert [took(scene, first, number) for number in (30, 31)] == [b"2", None]


@pytest.mark.parametrize("acked", [True, False])
def test_an_item_whose_ack_is_taken_back(scene: Stage, acked: bool) -> None:
    reader, other = scene.client(), scene.client()
    for item in (b"0", b"1", b"2"):
        other.say(Kind.POST, 0, item)
    assert [took(scene, reader, number) for number in range(2)] == [b"0", b"1"]
    if acked:
        reader.say(Kind.ACK, 1)
    reader.say(Kind.UNACK, 1, b"1")
    reader.say(Kind.BACK, 0)
    expected = [b"1", b"0", b"2"] if acked else [b"0", b"1", b"2"]  # what was gone comes first
    assert [took(scene, other, number) for number in (10, 11, 12, 13)] == [*expected, None]


def test_what_comes_back_does_not_exceed_the_limit(small: Stage) -> None:
    reader, writer = small.client(), small.client()
    assert [put(small, writer, number, b"%d" % number) for number in (1, 2, 3)] == [True, True, False]
    assert took(small, reader, 1) == b"1"
    assert not put(small, writer, 4, b"4")  # it is on its way, and may come back
    reader.say(Kind.BACK, 1)
    assert not put(small, writer, 5, b"5")
    assert [took(small, reader, number) for number in (2, 3, 4)] == [b"1", b"2", None]
    reader.say(Kind.ACK, 2)
    assert put(small, writer, 6, b"6")
    reader.socket.close()
    assert not put(small, writer, 7, b"7")
    assert [took(small, writer, number) for number in (8, 9)] == [b"2", b"6"]


def test_room_that_a_killed_writer_had_is_free_again(small: Stage) -> None:
    killed, waiting = small.client(), small.client()
    killed.say(Kind.PUT, 1, b"never")
    small.settle()
    for number in (1, 2):
        waiting.say(Kind.PUT, number, b"item")
    small.settle()
    assert [frame.kind for frame in killed.heard()] == [Kind.ROOM]
    assert [frame.kind for frame in waiting.heard()] == [Kind.ROOM, Kind.LATER]
    killed.socket.close()
    small.settle()
    assert [(frame.kind, frame.number) for frame in waiting.heard()] == [(Kind.ROOM, 2)]
    waiting.say(Kind.COMMIT, 1)
    waiting.say(Kind.COMMIT, 2)
    assert [took(small, waiting, number) for number in (3, 4, 5)] == [b"item", b"item", None]


def test_what_was_given_up_is_not_answered(scene: Stage) -> None:
    reader, other = scene.client(), scene.client()
    reader.say(Kind.GET, 1)
    reader.say(Kind.BACK, 1)
    reader.say(Kind.JOIN, 2)
    reader.say(Kind.BACK, 2)
    other.say(Kind.POST, 0, b"item")
    scene.settle()
    assert reader.heard() == []
    assert took(scene, other, 1) == b"item"


def test_a_wait_begins_with_a_hint_and_ends_in_order(scene: Stage) -> None:
    first, second, writer = scene.client(), scene.client(), scene.client()
    for number, end in enumerate([first, second, first]):
        end.say(Kind.GET, number)
        scene.settle()
        assert end.hear() == (Kind.LATER, number, b"")
    second.say(Kind.NOW, 1)  # its time is over
    scene.settle()
    assert second.hear() == (Kind.REFUSED, 1, b"")
    for item in (b"0", b"2"):
        writer.say(Kind.POST, 0, item)
    scene.settle()
    assert [(frame.kind, frame.number) for frame in first.heard()] == [(Kind.ITEM, 0), (Kind.ITEM, 2)]
    assert second.heard() == []


def test_now_for_what_was_answered_already(scene: Stage) -> None:
    reader = scene.client()
    reader.say(Kind.GET, 1)
    reader.say(Kind.POST, 0, b"item")
    scene.settle()
    reader.say(Kind.NOW, 1)
    scene.settle()
    assert [frame.kind for frame in reader.heard()] == [Kind.ITEM]


def test_one_that_reads_nothing_holds_up_no_other(scene: Stage) -> None:
    deaf, other = scene.client(), scene.client()
    large = bytes(3_000_000)
    scene.hosted._append(Item(False, large))
    deaf.say(Kind.GET, 1)
    scene.settle()
    for number in range(10):
        other.say(Kind.POST, 0, b"item")
        assert took(scene, other, number) == b"item"
    received: list[tuple[Kind, int, bytes]] = []
    reading = threading.Thread(target=lambda: received.append(deaf.hear()))
    reading.start()
    while reading.is_alive():
        scene.round()
    assert received == [(Kind.ITEM, 1, large)]


def test_whoever_comes_when_all_has_ended_is_sent_away() -> None:
    loop = ServerLoop("test")
    loop.start()
    loop.stop()
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(PATIENCE)
        service = QueueService(theirs, HostedQueue(loop.when_heard), loop)
        loop.call(service.begin)
        assert ours.recv(1) == b""
