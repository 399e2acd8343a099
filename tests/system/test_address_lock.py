from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from communica_like.exceptions import AddressInUse
from communica_like.system import AddressLock, ProcessId, state_directory
from communica_like.system.address_lock import remove_stale_locks
from tests.system.forked import Forked, Hear, Tell, run_all

ADDRESS = "medium:///some/where"


def is_kept(lock: AddressLock) -> bool:
    return lock.kept


def serve(tell: Tell, hear: Hear) -> None:
    """Have the address, in another process."""
    lock = AddressLock(ADDRESS)
    lock.announce()
    tell("serving")
    if hear().strip() == "release":
        lock.release()
        tell("released")
        hear()


def test_one_has_it(state: Path) -> None:
    with AddressLock(ADDRESS) as lock:
        assert AddressLock.owner(ADDRESS) is None, "it is not announced"
        lock.announce()
        assert AddressLock.owner(ADDRESS) == ProcessId.own()
        with pytest.raises(AddressInUse, match=ADDRESS):
            AddressLock(ADDRESS)
        assert AddressLock.owner(ADDRESS) == ProcessId.own(), "it is unharmed"
        with AddressLock("another"):
            assert AddressLock.owner("another") is None
        [path] = state.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert AddressLock.owner(ADDRESS) is None
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("address", ["", "/", "../../x", "a\0b", "\udcff\udc80", "é\n", "x" * 10_000])
def test_any_address(state: Path, address: str) -> None:
    with AddressLock(address) as lock:
        lock.announce()
        assert AddressLock.owner(address) == ProcessId.own()
        assert len(list(state.iterdir())) == 1
    assert list(state.iterdir()) == []


def test_another_process_has_it(state: Path) -> None:
    with Forked(serve) as child:
        child.line()
        assert AddressLock.owner(ADDRESS) == ProcessId.of(child.pid)
        with pytest.raises(AddressInUse):
            AddressLock(ADDRESS)
        child.tell("release")
        child.line()
        assert AddressLock.owner(ADDRESS) is None
        with AddressLock(ADDRESS):
            pass


def test_a_killed_process_has_nothing(state: Path) -> None:
    with Forked(serve) as child:
        child.line()
        os.kill(child.pid, 9)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert AddressLock.owner(ADDRESS) is None, "a zombie serves nobody"
        with AddressLock(ADDRESS) as lock:
            assert AddressLock.owner(ADDRESS) is None, "that is what the one before had announced"
            lock.announce()
            assert AddressLock.owner(ADDRESS) == ProcessId.own()


def test_garbage_in_the_file(state: Path) -> None:
    lock = AddressLock(ADDRESS)
    [path] = state.iterdir()
    for garbage in (b"\xff\xfe", b"1", b"", b"1.2.3.4", bytes(5000)):
        path.write_bytes(garbage)
        assert AddressLock.owner(ADDRESS) is None
    lock.release()


def test_stale_locks_are_removed_and_others_are_not(state: Path) -> None:
    with Forked(serve) as child, AddressLock("mine") as mine, AddressLock("announced") as announced:
        announced.announce()
        child.line()
        remove_stale_locks()
        assert len(list(state.iterdir())) == 3
        child.kill()
        remove_stale_locks()
        assert len(list(state.iterdir())) == 2
        assert mine.kept
        assert announced.kept


def test_a_fork_has_nothing_and_releases_nothing(state: Path) -> None:
    lock = AddressLock(ADDRESS)
    lock.announce()

    def release(tell: Tell, hear: Hear) -> None:
        lock.release()
        tell("released")
        hear()

    with Forked(release) as child:
        child.line()
        assert lock.kept
        with pytest.raises(AddressInUse):
            AddressLock(ADDRESS)
        lock.release()
        with AddressLock(ADDRESS):
            assert child.status is None, "the child lives"


def test_renewed_when_its_file_was_removed(state: Path) -> None:
    lock = AddressLock(ADDRESS)
    lock.announce()
    for path in state.iterdir():
        path.unlink()
    state.rmdir()
    assert not is_kept(lock)
    assert AddressLock.owner(ADDRESS) is None
    lock.renew()
    assert is_kept(lock)
    assert AddressLock.owner(ADDRESS) == ProcessId.own()
    lock.release()
    assert list(state_directory().iterdir()) == []


def test_not_renewed_when_another_has_it(state: Path) -> None:
    lock = AddressLock(ADDRESS)
    [path] = state.iterdir()
    path.unlink()
    with Forked(serve) as child:
        child.line()
        with pytest.raises(AddressInUse):
            lock.renew()
        lock.release()
        assert AddressLock.owner(ADDRESS) == ProcessId.of(child.pid), "that one is unharmed"


def test_processes_that_lock_at_once(state: Path, tmp_path: Path) -> None:
    """Never two at a time, though others look for stale locks all the time."""
    inside = tmp_path / "inside"

    def contend() -> None:
        had = 0
        while had < 30:
            try:
                lock = AddressLock(ADDRESS)
            except AddressInUse:
                continue
            with lock:
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                lock.announce()
                assert AddressLock.owner(ADDRESS) == ProcessId.own()
                remove_stale_locks()
                assert lock.kept
                inside.unlink()
                had += 1

    def look() -> None:
        for _ in range(2_000):
            remove_stale_locks()

    assert run_all(contend, contend, contend, look, look) == [0] * 5
    assert list(state.iterdir()) == []
