"""What POSIX queues do beside what all do: priorities, names, limits."""

from __future__ import annotations

import os
import pickle
import resource
import select
from collections.abc import Iterator
from typing import Any

import posix_ipc
import pytest

from communica_like import features
from communica_like.exceptions import FeatureNotAvailable, QueueLimitReached
from communica_like.queues import PosixMQ
from communica_like.serializers import JsonSerializer
from tests.queues.media import new_name


@pytest.fixture
def name() -> Iterator[str]:
    name = new_name()
    yield name
    try:
        posix_ipc.unlink_message_queue(name)
    except posix_ipc.ExistentialError:
        pass


@pytest.fixture
def mq(name: str) -> Iterator[PosixMQ]:
    mq = PosixMQ(name, 10, 100)
    yield mq
    mq.close()


async def test_higher_priorities_first_then_the_oldest(mq: PosixMQ) -> None:
    assert mq.guarantees.priority
    mq.put_nowait([1, "A"])
    await mq.put([2, "B"], priority=2)
    mq.put_nowait([3, "C"], priority=0)
    await mq.put([4, "D"], priority=32767)
    mq.put_nowait([5, "E"], priority=2)
    assert [(await mq.get())[0] for _ in range(5)] == [4, 2, 5, 1, 3]
    for priority in (-1, 32768):
        with pytest.raises(ValueError):
            mq.put_nowait("item", priority=priority)
    assert mq.qsize() == 0


def test_it_stays_in_the_kernel_until_it_is_unlinked(name: str) -> None:
    first = PosixMQ(name, 7, 100)
    assert first.guarantees.persistent
    first.put_nowait("item")
    first.close()
    # Its own sizes count, not those that are asked for.
    again = PosixMQ(name, 3, 50)
    assert (again.guarantees.capacity, again.guarantees.largest_item) == (7, 100)
    assert again.get_nowait() == "item"
    again.unlink()
    again.put_nowait("it goes on working")
    assert again.get_nowait() == "it goes on working"
    with pytest.raises(FileNotFoundError, match=name):
        PosixMQ(name, create=False)
    with pytest.raises(FileNotFoundError, match=name):
        again.unlink()
    again.close()


def test_it_is_its_owner_s_alone(name: str) -> None:
    before = os.umask(0)
    try:
        mq = PosixMQ(name)
    finally:
        os.umask(before)
    assert os.fstat(mq.fileno()).st_mode & 0o777 == 0o600
    mq.close()


def test_what_is_in_it_is_what_ipcqueue_would_have_written(mq: PosixMQ) -> None:
    item = {"text": (1, None)}
    mq.put_nowait(item)
    raw = posix_ipc.MessageQueue(mq.name)
    data, _ = raw.receive(timeout=0)
    assert data == pickle.dumps(item, 1)
    raw.send(pickle.dumps(item, 4), priority=3)
    raw.close()
    assert mq.get_nowait() == item


@pytest.mark.parametrize("bad", ["", "/", "name", "/a/b", "/a\0b", "/" + "x" * 255])
def test_names(bad: str) -> None:
    with pytest.raises(ValueError, match="a queue's name must be"):
        PosixMQ(bad)


@pytest.mark.parametrize("sizes", [(0, 10), (10, 0), (-1, 10)])
def test_sizes(name: str, sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PosixMQ(name, *sizes)


def limit(which: str) -> int:
    with open(f"/proc/sys/fs/mqueue/{which}", encoding="ascii") as file:
        return int(file.read())


def test_limits_of_the_system_are_named(name: str) -> None:
    for items, size, which in ((10**7, 10, "msg_max"), (1, 10**8, "msgsize_max")):
        with pytest.raises(QueueLimitReached, match=f"allows {limit(which)}: raise fs.mqueue.{which} with"):
            PosixMQ(name, items, size)


def test_the_user_s_limit_is_named(name: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    resource.setrlimit(resource.RLIMIT_MSGQUEUE, (1000, before[1]))
    try:
        with pytest.raises(QueueLimitReached, match=r"1000 bytes: raise RLIMIT_MSGQUEUE with ulimit -q"):
            PosixMQ(name, 10, 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, before)


def test_the_number_of_queues_is_named(name: str) -> None:
    # The real ones are other programs', too: so the error is one that posix_ipc gives.
    from communica_like.queues.posixmq import _explain_limit

    text = _explain_limit(name, 1, 1, OSError("Insufficient space for a new queue"))
    assert f"{limit('queues_max')} queues already: raise fs.mqueue.queues_max" in text
    assert _explain_limit(name, 1, 1, MemoryError("no memory")).endswith("no memory")


def test_without_posix_ipc_the_cure_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str) -> Any:
        raise ImportError(f"no module {module}")

    monkeypatch.setattr(features, "import_module", missing)
    with pytest.raises(FeatureNotAvailable, match=r"pip install 'posix-ipc.*\[posixmq\]"):
        PosixMQ(name)


def test_its_descriptor_can_be_polled(mq: PosixMQ) -> None:
    poll = select.poll()
    poll.register(mq.fileno(), select.POLLIN)
    assert poll.poll(0) == []
    mq.put_nowait("item")
    assert poll.poll(0) == [(mq.fileno(), select.POLLIN)]


async def test_other_serializers(name: str) -> None:
    async with PosixMQ(name, serializer=JsonSerializer()) as mq:
        await mq.put([1, "two"])
        assert await mq.get() == [1, "two"]
