"""blocking.posixmq: what the documentation of the classic interface says, sentence by sentence."""

from __future__ import annotations

import os
import pickle
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from communica_like.blocking import Portal, posixmq
from communica_like.blocking.posixmq import Queue, QueueError
from communica_like.exceptions import SerializerError
from communica_like.queues import PosixMQ
from communica_like.serializers import JsonSerializer, RawSerializer
from tests.blocking.media import PATIENCE, program, until
from tests.queues.media import new_name


@pytest.fixture
def mq() -> Iterator[Queue]:
    mq = Queue(new_name())
    try:
        yield mq
    finally:
        try:
            posixmq.unlink(mq.name)
        except QueueError:
            pass  # the test's own deed
        if not mq.closed:
            mq.close()


def raises(errno: int) -> Any:
    """Expect a QueueError with this number."""
    return pytest.raises(QueueError, check=lambda error: error.errno == errno)


def test_the_example_of_the_documentation(mq: Queue) -> None:
    assert mq.qsize() == 0
    mq.put([1, "A"])
    mq.put([2, "B"], priority=2)
    mq.put([3, "C"], priority=0)
    assert mq.qsize() == 3
    assert mq.get() == [2, "B"]
    assert mq.get() == [1, "A"]
    assert mq.get() == [3, "C"]
    mq.close()
    mq.unlink()


def test_the_same_queue_is_joined_by_its_name(mq: Queue) -> None:
    with Queue(new_name()) as answers, program("echo", f"posix:{mq.name}", f"posix:{answers.name}") as child:
        for item in (1, "two", [3, {"four": b"5"}], {6, 7}):
            mq.put(item)
            assert answers.get(timeout=PATIENCE) == item
        mq.put(None)
        assert child.line() == "ended"
        assert child.end() == 0
        answers.unlink()


def test_it_persists_until_it_is_unlinked(mq: Queue) -> None:
    mq.put("kept")
    mq.close()
    with Queue(mq.name, create=False) as again:
        assert again.get() == "kept"
    posixmq.unlink(mq.name)
    with raises(QueueError.DOES_NOT_EXIST):
        Queue(mq.name, create=False)


def test_defaults(mq: Queue) -> None:
    assert mq.qattr() == {"size": 0, "max_size": 10, "max_msgbytes": 1024}
    mq.put("item")
    assert mq.qattr() == {"size": 1, "max_size": 10, "max_msgbytes": 1024}


def test_put_without_waiting(mq: Queue) -> None:
    for number in range(10):
        mq.put_nowait(number)
    began = time.monotonic()
    fulls: list[Callable[[], None]] = [
        lambda: mq.put_nowait("more"),
        lambda: mq.put("more", block=False),
        lambda: mq.put("more", False, 100),
        lambda: mq.put("more", timeout=0),
        lambda: mq.put("more", timeout=-1),
        lambda: mq.put("more", timeout=0.01),
    ]
    for full in fulls:
        with pytest.raises(queue.Full):
            full()
    assert time.monotonic() - began < PATIENCE
    assert [mq.get_nowait() for _ in range(10)] == list(range(10))


def test_get_without_waiting(mq: Queue) -> None:
    began = time.monotonic()
    empties: list[Callable[[], Any]] = [
        mq.get_nowait,
        lambda: mq.get(block=False),
        lambda: mq.get(False, 100),
        lambda: mq.get(timeout=0),
        lambda: mq.get(timeout=-1),
        lambda: mq.get(timeout=0.01),
    ]
    for empty in empties:
        with pytest.raises(queue.Empty):
            empty()
    assert time.monotonic() - began < PATIENCE


def test_timeouts_are_kept(mq: Queue) -> None:
    for wait, refusal in ((mq.get, queue.Empty), (lambda timeout: mq.put(1, timeout=timeout), queue.Full)):
        began = time.monotonic()
        with pytest.raises(refusal):
            while True:
                wait(timeout=0.1)
        assert 0.1 <= time.monotonic() - began < PATIENCE


def test_put_waits_for_room(mq: Queue) -> None:
    for number in range(10):
        mq.put(number)
    waiting = threading.Thread(target=lambda: mq.put(10))
    waiting.start()
    until(lambda: mq._portal is not None and len(mq._core._putters), "it waits")
    assert [mq.get(timeout=PATIENCE) for _ in range(11)] == list(range(11))
    waiting.join()


def test_priorities(mq: Queue) -> None:
    for number, priority in enumerate((0, 5, 1, 32767, 5)):
        mq.put_nowait(number, priority)
    assert [mq.get() for _ in range(5)] == [3, 1, 4, 2, 0]
    for priority in (-1, 32768, 2**40):
        with raises(QueueError.INVALID_VALUE):
            mq.put(1, priority=priority)


def test_pickle_protocols(mq: Queue) -> None:
    core = PosixMQ(mq.name, serializer=RawSerializer())
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        mq.put(["item", 1], pickle_protocol=protocol)
        mq.put_nowait(["item", 2], pickle_protocol=protocol)
        for number in (1, 2):
            data = core.get_nowait()
            assert data == pickle.dumps(["item", number], protocol)
    core.close()
    mq.put("default")
    assert mq.get() == "default"
    with pytest.raises(SerializerError, match="protocol"):
        mq.put(1, pickle_protocol=99)


def test_joining_with_other_sizes(mq: Queue) -> None:
    with Queue(mq.name, 3, 16) as other:
        assert other.qattr() == mq.qattr()
        mq.put("x" * 900)
        assert other.get() == "x" * 900
        other.put("y" * 900)
        assert mq.get() == "y" * 900


def test_too_big(mq: Queue) -> None:
    with raises(QueueError.TOO_BIG_MESSAGE):
        mq.put("x" * 1024)
    with raises(QueueError.TOO_BIG_MESSAGE):
        mq.put_nowait("x" * 1024)
    assert mq.qsize() == 0


@pytest.mark.parametrize("name", ["no slash", "/", "/two/parts", "/" + 255 * "x", ""])
def test_names_that_are_none(name: str) -> None:
    with raises(QueueError.INVALID_VALUE):
        Queue(name)
    with raises(QueueError.INVALID_VALUE):
        posixmq.unlink(name)


@pytest.mark.parametrize("sizes", [(0, 1), (1, 0), (-1, 1), (10**6, 1), (1, 10**9)])
def test_sizes_that_the_system_does_not_have(sizes: tuple[int, int]) -> None:
    with raises(QueueError.INVALID_VALUE):
        Queue(new_name(), *sizes)


def test_unlink_of_nothing(mq: Queue) -> None:
    with raises(QueueError.DOES_NOT_EXIST):
        posixmq.unlink(new_name())
    mq.unlink()
    with raises(QueueError.DOES_NOT_EXIST):
        mq.unlink()
    mq.put("it works on, for those who have it open")
    assert mq.get().startswith("it works")


def test_after_close(mq: Queue) -> None:
    with mq:
        mq.close()
    assert mq.closed
    uses = [mq.get, mq.get_nowait, lambda: mq.put(1), lambda: mq.put_nowait(1), mq.qsize, mq.qattr, mq.close]
    for use in uses:
        with raises(QueueError.INVALID_DESCRIPTOR):
            use()


def test_close_while_others_wait(mq: Queue) -> None:
    errors: list[int] = []

    def wait() -> None:
        try:
            mq.get()
        except QueueError as exc:
            errors.append(exc.errno)

    threads = [threading.Thread(target=wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    until(lambda: mq._parked == 5, "all wait")
    mq.close()
    for thread in threads:
        thread.join(PATIENCE)
    assert errors == [QueueError.INVALID_DESCRIPTOR] * 5
    assert mq._portal is None


@pytest.mark.parametrize("call", [Queue.get_nowait, lambda mq: mq.put_nowait(1)], ids=["get", "put"])
def test_another_thread_closes_it_just_then(
    mq: Queue, call: Callable[[Queue], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    core = mq._core
    check = core._check_open

    def check_and_close() -> None:
        check()
        core.close()

    monkeypatch.setattr(core, "_check_open", check_and_close)
    with pytest.raises(QueueError) as caught:
        call(mq)
    assert caught.value.errno == QueueError.INVALID_DESCRIPTOR


def test_queue_error() -> None:
    error = QueueError(QueueError.TIMEOUT)
    assert (error.errno, error.msg) == (error.TIMEOUT, "Timed out")
    assert str(error) == "ETIMEDOUT, Timed out"
    error = QueueError(QueueError.ERROR, "its text")
    assert (error.msg, str(error)) == ("its text", "-1, its text")
    assert QueueError(12345).msg == "Error"
    again = pickle.loads(pickle.dumps(error))
    assert (again.errno, again.msg) == (error.errno, error.msg)
    names = "ERROR INVALID_VALUE NO_PERMISSIONS NO_SYSTEM_RESOURCES INVALID_DESCRIPTOR INTERRUPTED"
    names += " TOO_BIG_MESSAGE TIMEOUT DOES_NOT_EXIST"
    assert len({getattr(QueueError, name) for name in names.split()}) == 9


def test_other_serializers() -> None:
    with Queue(new_name(), serializer=JsonSerializer()) as mq:
        mq.unlink()
        mq.put({"a": [1, None]}, pickle_protocol=5)
        assert mq.get() == {"a": [1, None]}
        with pytest.raises(SerializerError, match="cannot be dumped"):
            mq.put({1, 2})
        mq._core.put_nowait(b"not JSON")
        with pytest.raises(SerializerError, match="cannot be loaded"):
            mq.get()
        assert mq.qsize() == 0


def test_what_cannot_be_pickled(mq: Queue) -> None:
    with pytest.raises(SerializerError, match="lambda") as caught:
        mq.put(lambda: 1)
    assert isinstance(caught.value.__cause__, (AttributeError, pickle.PicklingError))


def test_more_than_the_classic_interface(mq: Queue) -> None:
    with pytest.raises(FileExistsError):
        Queue(mq.name, exclusive=True)
    assert stat.S_IMODE(os.fstat(mq._core.fileno()).st_mode) == 0o600
    with Portal() as portal:
        with Queue(mq.name, portal=portal) as other:
            with pytest.raises(queue.Empty):
                other.get(timeout=0.01)
            assert other._portal is portal
    assert repr(mq) == f"<blocking POSIX queue {mq.name}>"


def test_what_is_ready_costs_no_thread(mq: Queue) -> None:
    for number in range(1000):
        mq.put(number)
        assert mq.get() == number
    assert mq._portal is None


def test_many_threads(mq: Queue) -> None:
    got: list[int] = []

    def read() -> None:
        while (item := mq.get(timeout=PATIENCE)) is not None:
            got.append(item)

    def write(first: int) -> None:
        for number in range(first, first + 200):
            mq.put(number, timeout=PATIENCE)

    readers = [threading.Thread(target=read) for _ in range(5)]
    writers = [threading.Thread(target=write, args=(first,)) for first in range(0, 1000, 200)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    for _ in readers:
        mq.put(None, timeout=PATIENCE)
    for thread in readers:
        thread.join()
    assert sorted(got) == list(range(1000))


def test_kept_items_are_put_back_at_close(mq: Queue) -> None:
    """What an interrupted get had taken."""
    mq.put("taken", priority=3)
    box: list[Any] = []
    mq._core.take_nowait(box)
    mq._kept.add(box[0])
    assert mq.qsize() == 1
    mq.close()
    with Queue(mq.name) as other:
        other.put("behind", priority=2)
        assert [other.get_nowait(), other.get_nowait()] == ["taken", "behind"]


def test_kept_items_go_to_who_waits(mq: Queue) -> None:
    """The main thread is interrupted with an item in hand, while another thread waits."""
    got: list[Any] = []
    waiting = threading.Thread(target=lambda: got.append(mq.get(timeout=PATIENCE)))
    waiting.start()
    until(lambda: mq._parked, "it waits")

    class Interruption(BaseException):
        pass

    def loads(data: bytes) -> Any:
        if threading.current_thread() is threading.main_thread():
            raise Interruption
        return pickle.loads(data)

    mq._loads = loads
    mq._kept.add((pickle.dumps("the item"), 0))
    with pytest.raises(Interruption):
        mq.get()
    waiting.join(PATIENCE)
    assert got == ["the item"]


def forked(function: Any) -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_goes_on_with_the_queue(mq: Queue) -> None:
    with pytest.raises(queue.Empty):
        mq.get(timeout=0.001)  # now its portal runs
    mq._kept.add((pickle.dumps("the parent's"), 0))

    def child() -> None:
        with pytest.raises(queue.Empty):
            mq.get(timeout=0.01)
        mq.put("from the child")
        mq.close()

    forked(child)
    assert [mq.get(timeout=PATIENCE) for _ in range(2)] == ["the parent's", "from the child"]
    with pytest.raises(queue.Empty):
        mq.get(timeout=0.01)
    forked(mq.close)
    mq.unlink()

    def child_of_nothing() -> None:
        with raises(QueueError.DOES_NOT_EXIST):
            mq.get()

    forked(child_of_nothing)
    mq.put("it works on")
    assert mq.get() == "it works on"
