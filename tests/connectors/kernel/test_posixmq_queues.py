"""Pairs of POSIX queues, which share what the kernel lends a user with all else that the user does."""

from __future__ import annotations

import encodings.ascii  # noqa: F401  # another user may not be able to read it any more
import gc
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from communica_like.connectors.kernel.posixmq import PosixMQPair
from communica_like.exceptions import QueueLimitReached
from communica_like.queues import PosixMQ
from communica_like.system import state_directory
from tests.private_state import entries_of
from tests.system.forked import run_all

if sys.platform != "linux":
    pytest.skip("no such queues", allow_module_level=True)

from resource import RLIMIT_MSGQUEUE, RLIMIT_NOFILE, setrlimit

DEFAULT = 819_200


@pytest.fixture
def alone() -> Iterator[Callable[[int, Callable[[], object]], None]]:
    """Run something in a process whose user may have so many bytes of queues, and has none yet.

    Root takes a user that nobody else is; any other user has to be alone.
    """
    pytest.importorskip("posix_ipc")
    folder = tempfile.mkdtemp(prefix="cl-")
    user = 20_000 + os.getpid() % 40_000

    def run(limit: int, function: Callable[[], object]) -> None:
        def child() -> None:
            setrlimit(RLIMIT_MSGQUEUE, (limit, limit))
            os.environ["COMMUNICA_LIKE_DIR"] = folder
            if os.getuid() == 0:
                os.setresuid(user, user, user)
            try:
                function()
            except AssertionError:
                traceback.print_exc()
                raise

        if os.getuid() == 0:
            os.chown(folder, user, user)
        assert run_all(child) == [0]

    yield run
    shutil.rmtree(folder)


Alone = Callable[[int, Callable[[], object]], None]


def make(count: int) -> list[PosixMQPair]:
    pairs = []
    for _ in range(count):
        pairs.append(PosixMQPair.make())
        pairs[-1].unlink()
    return pairs


def room_of(pair: PosixMQPair) -> int:
    return (pair.inwards.guarantees.capacity or 0) * pair.largest


def test_a_pair(state: Path) -> None:
    near = PosixMQPair.make()
    assert len(entries_of(state)) == 2
    far = PosixMQPair.of_client(*near.endpoints)
    with pytest.raises(FileNotFoundError):
        PosixMQPair.of_client(*near.endpoints)
    assert near.largest == far.largest
    near.outwards.put_nowait(b"to the server")
    far.outwards.put_nowait(b"to the client")
    assert far.inwards.get_nowait() == b"to the server"
    assert near.inwards.get_nowait() == b"to the client"
    near.remove()
    far.remove()
    assert entries_of(state) == []


@pytest.mark.parametrize(
    "endpoints", [(), ("",), ("x" * 24,), ("0" * 24, "0" * 24), ("0" * 23 + "\n",), ("../" * 8,)]
)
def test_no_endpoints(endpoints: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="no pair"):
        PosixMQPair.of_client(*endpoints)


def test_half_a_pair(state: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    near = PosixMQPair.make()
    near.outwards.unlink()
    with pytest.raises(FileNotFoundError):
        PosixMQPair.of_client(*near.endpoints)
    near.remove()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert entries_of(state) == []


def test_forty_clients_leave_room_for_the_users_queues(alone: Alone) -> None:
    def run() -> None:
        PosixMQ(f"/cl-test-{os.getpid()}", 10, 1024).unlink()  # as a server's queue is
        pairs = make(40)
        sizes = [room_of(pair) for pair in pairs]
        assert sizes == sorted(sizes, reverse=True), "the more there are, the smaller"
        assert sizes[0] == 4 * 8192
        users = PosixMQ(f"/cl-test-{os.getpid()}")
        users.unlink()
        users.close()
        for pair in pairs:
            pair.remove()
        again = make(1)[0]
        assert room_of(again) == sizes[0], "there is room again"
        assert entries_of(state_directory()) == []

    alone(DEFAULT, run)


def test_a_hundred_clients(alone: Alone) -> None:
    alone(DEFAULT, lambda: make(100))


def test_the_error_at_the_end(alone: Alone) -> None:
    def run() -> None:
        pairs = []
        with pytest.raises(QueueLimitReached, match=r"40000 bytes: raise RLIMIT_MSGQUEUE with ulimit -q"):
            while True:
                pairs += make(1)
        assert 5 < len(pairs) < 40
        assert {pair.largest for pair in pairs} == {256}
        assert entries_of(state_directory()) == [], "what was half made is gone"
        pairs.pop().remove()
        make(1)

    alone(40_000, run)


def test_no_descriptors(alone: Alone) -> None:
    def run() -> None:
        gc.collect()  # what other tests left would set descriptors free in between
        used = {int(name) for name in os.listdir("/proc/self/fd")}
        free = [number for number in range(100) if number not in used]
        setrlimit(RLIMIT_NOFILE, (free[2], 100))  # numbers below the limit may be taken: two, here
        with pytest.raises((QueueLimitReached, OSError)):
            make(3)
        setrlimit(RLIMIT_NOFILE, (100, 100))
        assert entries_of(state_directory()) == []

    alone(DEFAULT, run)
