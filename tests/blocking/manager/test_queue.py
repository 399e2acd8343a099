"""The queues of managers behave as queue.Queue does; the same tests pass with a queue.Queue."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from communica_like.blocking.manager import ManagerQueue, QueueManagerClient, QueueManagerServer
from communica_like.blocking.portal.portal import Portal, shared_portal
from communica_like.exceptions import Closed, MessageTooBig, SerializerError
from communica_like.serializers import JsonSerializer

from .stage import PATIENCE, Child

CHILD = "tests.blocking.manager.child"

T = TypeVar("T")


@pytest.fixture(params=["queue.Queue", "in the server", "client"])
def items(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A queue for two items."""
    if request.param == "queue.Queue":
        yield queue.Queue(2)
    else:
        manager = request.getfixturevalue("server" if "server" in request.param else "client")
        yield manager.get_queue("items", max_items=2)


def after(seconds: float, call: Any, *arguments: Any) -> threading.Timer:
    timer = threading.Timer(seconds, call, arguments)
    timer.start()
    return timer


def test_in_and_out(items: Any) -> None:
    assert (items.empty(), items.full(), items.qsize()) == (True, False, 0)
    items.put("first")
    assert (items.empty(), items.full(), items.qsize()) == (False, False, 1)
    items.put_nowait({"second": [2]})
    assert (items.empty(), items.full(), items.qsize()) == (False, True, 2)
    assert items.get() == "first"
    assert items.get_nowait() == {"second": [2]}


def test_empty_and_full(items: Any) -> None:
    for call in (items.get_nowait, lambda: items.get(False), lambda: items.get(block=False, timeout=60)):
        with pytest.raises(queue.Empty):
            call()
    for number in (1, 2):
        items.put(number, True, 5)
    for more in ((), (60,)):
        with pytest.raises(queue.Full):
            items.put(3, False, *more)
    with pytest.raises(queue.Full):
        items.put_nowait(3)
    assert [items.get(), items.get(timeout=0)] == [1, 2]
    with pytest.raises(queue.Empty):
        items.get(timeout=0)


def test_timeouts(items: Any) -> None:
    began = time.monotonic()
    with pytest.raises(queue.Empty):
        items.get(timeout=0.05)
    items.put(1)
    items.put(2)
    with pytest.raises(queue.Full):
        items.put(3, timeout=0.05)
    assert time.monotonic() - began >= 0.1
    with pytest.raises(ValueError, match="non-negative"):
        items.put(3, timeout=-1)
    with pytest.raises(ValueError, match="non-negative"):
        items.get(True, -1)
    assert [items.get(), items.get()] == [1, 2]


def test_waiting(items: Any) -> None:
    timer = after(0.05, items.put, "item")
    assert items.get() == "item"
    timer.join()
    timer = after(0.05, items.put, "other")
    assert items.get(timeout=PATIENCE) == "other"
    timer.join()
    items.put(1)
    items.put(2)
    timer = after(0.05, items.get)
    items.put(3)
    timer.join()
    assert [items.get(), items.get()] == [2, 3]


def test_task_done_and_join(items: Any) -> None:
    items.join()  # there is nothing to wait for
    with pytest.raises(ValueError, match="called too many times"):
        items.task_done()
    items.put(1)
    items.put(2)
    joining = threading.Thread(target=items.join)
    joining.start()
    items.get()
    items.get()
    items.task_done()
    joining.join(0.05)
    assert joining.is_alive()
    items.task_done()
    joining.join(PATIENCE)
    assert not joining.is_alive()
    with pytest.raises(ValueError, match="called too many times"):
        items.task_done()


# -- what a queue.Queue has not


def test_join_waits_for_other_processes(server: QueueManagerServer) -> None:
    items = server.get_queue()
    for number in range(50):
        items.put(number)
    where = server.address
    with Child(CHILD, "read", where, 20) as first, Child(CHILD, "read", where, 30) as second:
        items.join()
        assert items.empty()
        numbers = [int(line) for child in (first, second) for line in child.end().split()]
    assert sorted(numbers) == list(range(50))


def test_a_client_that_dies_with_work_half_done(server: QueueManagerServer) -> None:
    items = server.get_queue()
    with Child(CHILD, "read", server.address, 5) as child:
        items.put(1)
        assert child.line() == "1"
        items.join()
        child.kill()  # in the middle of get
    items.put(2)
    assert items.get(timeout=PATIENCE) == 2


def test_what_was_put_is_found_at_once_by_all_who_are_told(
    server: QueueManagerServer, client: QueueManagerClient
) -> None:
    # put does not wait for the server: so this is not a matter of course.
    here, there = server.get_queue(), client.get_queue()
    for number in range(1000):
        there.put(number)
        assert here.qsize() == 1
        there.put(-number)
        assert [here.get_nowait(), here.get_nowait()] == [number, -number]
        assert here.empty()
    others = [QueueManagerClient(server.address, b"key") for _ in range(3)]
    readers = [other.get_queue() for other in others]
    for number in range(1000):
        there.put(number)
        assert readers[number % 3].get_nowait() == number
    for other in others:
        other.shutdown()


def test_large_items_and_bad_ones(server: QueueManagerServer, client: QueueManagerClient) -> None:
    items = client.get_queue()
    large = [bytes(5_000_000), "x" * 5_000_000, b"small", bytes(40_000)]
    for item in large * 2:
        items.put(item)
    assert [server.get_queue().get() for _ in range(8)] == large * 2
    with pytest.raises(SerializerError):
        items.put(lambda: None)
    address = str(server.address)
    with ManagerQueue(address, b"key", max_item_size=10) as small, ManagerQueue(address, b"key") as objects:
        with pytest.raises(MessageTooBig):
            small.put(bytes(11))
        objects.put({"no": "bytes"})
        with ManagerQueue(address, b"key", serializer=JsonSerializer()) as json:
            with pytest.raises(SerializerError):
                json.get()
            json.put([1])
            assert objects.get() == b"[1]"


def test_a_burst_comes_whole_and_in_order(server: QueueManagerServer, client: QueueManagerClient) -> None:
    items = client.get_queue()
    for number in range(5_000):
        items.put((number, "x" * 100))
    got = [server.get_queue().get()[0] for _ in range(5_000)]
    assert got == list(range(5_000))


def test_closed_by_another_thread_while_the_loop_is_entered(server: QueueManagerServer) -> None:
    class Closing(ManagerQueue):
        def _enter_first(self) -> Portal:
            closing = threading.Thread(target=self.close)
            closing.start()
            closing.join()
            return super()._enter_first()

    users = shared_portal()._users
    items = Closing(str(server.address), b"key")
    with pytest.raises(Closed):
        items.get()
    assert shared_portal()._users == users


def test_closed_by_two_threads_at_once(server: QueueManagerServer) -> None:
    class Meanwhile(Portal):
        def call(self, function: Callable[[], T]) -> T:
            while others:
                other = others.pop()
                other.start()
                other.join()
            return super().call(function)

    others: list[threading.Thread] = []
    items = ManagerQueue(str(server.address), b"key", portal=Meanwhile())
    with pytest.raises(queue.Empty):
        items.get(timeout=0.001)
    others.append(threading.Thread(target=items.close))
    items.close()
    assert not others


def test_close(server: QueueManagerServer) -> None:
    items = ManagerQueue(str(server.address), b"key")
    errors: queue.Queue[BaseException] = queue.Queue()

    def wait(call: Any) -> None:
        try:
            call()
        except BaseException as exc:
            errors.put(exc)

    server.get_queue("busy").put(1)
    busy = ManagerQueue(str(server.address), b"key", "busy")
    threads = [threading.Thread(target=wait, args=(call,)) for call in (items.get, busy.join)]
    for thread in threads:
        thread.start()
    with pytest.raises(queue.Empty):
        errors.get(timeout=0.05)
    for each in (items, busy, items):
        each.close()
    for thread in threads:
        assert isinstance(errors.get(timeout=PATIENCE), Closed)
        thread.join()
    for call in (items.get, items.qsize, lambda: items.put(1), items.task_done, items.join):
        with pytest.raises(Closed):
            call()
