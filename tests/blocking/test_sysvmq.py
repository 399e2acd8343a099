"""blocking.sysvmq: what the documentation of the classic interface says, sentence by sentence."""

from __future__ import annotations

import os
import pickle
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from communica_like.blocking.sysvmq import Queue, QueueError
from communica_like.exceptions import SerializerError
from communica_like.queues import SysVMQ
from communica_like.serializers import JsonSerializer, RawSerializer
from tests.blocking.media import PATIENCE, program, until


@pytest.fixture
def mq() -> Iterator[Queue]:
    mq = Queue()
    try:
        yield mq
    finally:
        if not mq.closed:
            mq.close()
        try:
            Queue(mq.key, create=False).close()
        except QueueError:
            pass  # usually it is gone


def raises(errno: int) -> Any:
    """Expect a QueueError with this number."""
    return pytest.raises(QueueError, check=lambda error: error.errno == errno)


def test_the_example_of_the_documentation(mq: Queue) -> None:
    assert mq.qsize() == 0
    mq.put([1, "A"])
    mq.put([2, "B"], msg_type=2)
    mq.put([3, "C"], msg_type=2)
    mq.put([4, "D"], msg_type=1)
    assert mq.qsize() == 4
    assert mq.get(msg_type=2) == [2, "B"]
    assert mq.get() == [1, "A"]
    assert mq.get() == [3, "C"]
    assert mq.get() == [4, "D"]
    mq.close()


def test_the_same_queue_is_joined_by_its_key(mq: Queue) -> None:
    with Queue(0) as answers, program("echo", f"sysv:{mq.key}", f"sysv:{answers.key}") as child:
        for item in (1, "two", [3, {"four": b"5"}], {6, 7}):
            mq.put(item)
            assert answers.get(timeout=PATIENCE) == item
        mq.put(None)
        assert child.line() == "ended"
        assert child.end() == 0


def test_closing_removes_it(mq: Queue) -> None:
    """In this interface a queue persists "unless it is closed"."""
    other = Queue(mq.key)
    mq.put("gone")
    mq.close()
    for use in (other.get_nowait, other.qsize, other.qattr, other.unlink, lambda: other.put(1)):
        with raises(QueueError.INVALID_DESCRIPTOR):
            use()
    other.close()
    with raises(QueueError.INVALID_DESCRIPTOR):
        mq.get()


def test_closing_without_removing(mq: Queue) -> None:
    mq.put("kept")
    with mq:
        mq.close(remove=False)
    with raises(QueueError.INVALID_DESCRIPTOR):
        mq.close()
    with Queue(mq.key, create=False) as again:
        assert again.get_nowait() == "kept"


def test_private_queues() -> None:
    with Queue(0) as first, Queue(None) as second, Queue() as third:
        assert len({first.key, second.key, third.key}) == 3
        first.put("mine")
        assert second.qsize() == 0
        assert repr(first) == f"<blocking System V queue {first.key}>"


@pytest.mark.parametrize("key", [-1, 2**31])
def test_keys_that_are_none(key: int) -> None:
    for expected in (raises(QueueError.INVALID_VALUE), pytest.raises(OverflowError)):
        with expected:
            Queue(key)


def test_max_bytes(mq: Queue) -> None:
    with Queue(0, 1000) as small:
        assert small.qattr() == {"size": 0, "max_bytes": 1000}
        small.put_nowait("x" * 900)
        with pytest.raises(queue.Full):
            small.put_nowait("x" * 900)
        with raises(QueueError.TOO_BIG_MESSAGE):
            small.put("x" * 1000)
        with Queue(small.key) as joined:
            assert joined.qattr() == {"size": 1, "max_bytes": 1000}
            assert joined.get() == "x" * 900
    with raises(QueueError.INVALID_VALUE):
        Queue(mq.key, 0)
    with raises(QueueError.TOO_BIG_MESSAGE):
        mq.put("x" * 100_000)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_more_bytes_than_the_system_allows(mq: Queue) -> None:
    with raises(QueueError.NO_PERMISSIONS):
        Queue(mq.key, 10**9)


def test_message_types(mq: Queue) -> None:
    for number, msg_type in enumerate([1, 2, 2, 1, 5, 4]):
        mq.put_nowait(number, msg_type)
    assert mq.get_nowait(2) == 1
    assert mq.get(msg_type=-4) == 0
    assert [mq.get(False) for _ in range(2)] == [2, 3]
    with pytest.raises(queue.Empty):
        mq.get(True, 3, timeout=0.01)
    assert mq.get(True, -5) == 5
    assert mq.get(block=True, msg_type=5) == 4
    for wrong in (0, -1, 2**31):
        with raises(QueueError.INVALID_VALUE):
            mq.put(1, msg_type=wrong)


def test_waiting_for_a_type(mq: Queue) -> None:
    got: list[Any] = []
    waiting = threading.Thread(target=lambda: got.append(mq.get(msg_type=7, timeout=PATIENCE)))
    waiting.start()
    until(lambda: mq._parked, "it waits")
    mq.put("for another", msg_type=6)
    mq.put("served", msg_type=7)
    waiting.join()
    assert got == ["served"]
    assert mq.get() == "for another"


def test_without_waiting(mq: Queue) -> None:
    began = time.monotonic()
    empties: list[Callable[[], Any]] = [mq.get_nowait, lambda: mq.get(False)]
    empties += [lambda: mq.get(timeout=0), lambda: mq.get(timeout=0.01)]
    for empty in empties:
        with pytest.raises(queue.Empty):
            empty()
    with Queue(0, 1000) as small:
        small.put("x" * 900)
        fulls: list[Callable[[], None]] = [
            lambda: small.put_nowait("x" * 900),
            lambda: small.put("x" * 900, False),
            lambda: small.put("x" * 900, block=False, timeout=100),
            lambda: small.put("x" * 900, timeout=0),
            lambda: small.put("x" * 900, timeout=0.01),
        ]
        for full in fulls:
            with pytest.raises(queue.Full):
                full()
    assert time.monotonic() - began < PATIENCE


def test_put_waits_for_room() -> None:
    with Queue(0, 1000) as small:
        small.put("x" * 900)
        waiting = threading.Thread(target=lambda: small.put("y" * 900))
        waiting.start()
        until(lambda: small._portal is not None and len(small._core._putters), "it waits")
        assert small.get() == "x" * 900
        assert small.get(timeout=PATIENCE) == "y" * 900
        waiting.join()


def test_pickle_protocols(mq: Queue) -> None:
    core = SysVMQ(mq.key, serializer=RawSerializer())
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        mq.put(["item"], pickle_protocol=protocol)
        assert core.get_nowait() == pickle.dumps(["item"], protocol)
        mq.put_nowait(["item"], 1, protocol)
        assert mq.get() == ["item"]
    core.close()


def test_other_serializers() -> None:
    with Queue(serializer=JsonSerializer()) as mq:
        mq.put({"a": [1, None]})
        assert mq.get() == {"a": [1, None]}
        mq._core.put_nowait(b"")
        with pytest.raises(SerializerError, match="cannot be loaded"):
            mq.get()


def test_close_while_others_wait(mq: Queue) -> None:
    errors: list[int] = []

    def wait(msg_type: int) -> None:
        try:
            mq.get(msg_type=msg_type)
        except QueueError as exc:
            errors.append(exc.errno)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: mq._parked == 4, "all wait")
    mq.close()
    for thread in threads:
        thread.join(PATIENCE)
    assert errors == [QueueError.INVALID_DESCRIPTOR] * 4
    assert mq._portal is None


def test_kept_items_go_to_who_asks_for_their_type(mq: Queue) -> None:
    for number, msg_type in enumerate((3, 1, 2, 1)):
        mq._kept.add((pickle.dumps(number), msg_type))
    mq.put("in the queue", msg_type=9)
    assert mq.qsize() == 5
    assert mq.get(msg_type=9) == "in the queue"
    assert mq.get(msg_type=2) == 2
    assert mq.get(msg_type=-3) == 1
    assert mq.get() == 0
    mq.close(remove=False)
    with Queue(mq.key, create=False) as other:
        assert other.get_nowait(1) == 3
        assert other.qsize() == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_goes_on_with_the_queue(mq: Queue) -> None:
    with pytest.raises(queue.Empty):
        mq.get(timeout=0.001)  # now its portal runs
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            mq.put("from the child")
            mq.close(remove=False)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert mq.get(timeout=PATIENCE) == "from the child"
