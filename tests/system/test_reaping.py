from __future__ import annotations

import os
import random
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from communica_like.exceptions import LinkError
from communica_like.queues import PosixMQ, SysVMQ
from communica_like.system import (
    AddressLock,
    Registration,
    reap,
    reap_in_passing,
    register,
    register_reused,
    registry,
)
from tests.private_state import entries_of
from tests.system.forked import Forked, Hear, Tell, run_all


def test_a_name_that_was_taken_over_in_vain(state: Path, tmp_path: Path) -> None:
    """What a dead process left is not forgotten because the next owner did not get as far as to make it."""
    path = str(tmp_path / "pipe")

    def make(enter_it: Callable[[str, str], Registration]) -> None:
        enter_it("fifo", path)
        os.mkfifo(path)

    with Forked(lambda tell, hear: make(register)) as child:
        assert child.wait() == 0
    entry = register("fifo", path)
    assert reap() == []
    assert os.path.exists(path)
    entry.remove()
    assert reap() == [f"fifo {path}"]


def test_only_what_dead_owners_left(state: Path, tmp_path: Path) -> None:
    name, key = f"/cl-test-{secrets.token_hex(6)}", secrets.randbelow(2**31 - 1) + 1
    pipe, mine, not_entered = (str(tmp_path / each) for each in ("pipe", "mine", "not-entered"))

    def make(tell: Tell, hear: Hear) -> None:
        register("posixmq", name)
        PosixMQ(name, 1, 1)
        register("sysvmq", str(key))
        SysVMQ(key)
        register("fifo", pipe)
        os.mkfifo(pipe)
        AddressLock("address").announce()
        tell("made")
        hear()

    entry = register("fifo", mine)
    os.mkfifo(mine)
    os.mkfifo(not_entered)
    with Forked(make) as child:
        child.line()
        assert reap() == [], "it lives"
        PosixMQ(name, create=False).close()
        SysVMQ(key, create=False).close()
        child.kill()
        assert sorted(reap()) == sorted([f"posixmq {name}", f"sysvmq {key}", f"fifo {pipe}"])
        assert reap() == []
    with pytest.raises(FileNotFoundError):
        PosixMQ(name, create=False)
    with pytest.raises(FileNotFoundError):
        SysVMQ(key, create=False)
    assert not os.path.exists(pipe)
    assert os.path.exists(mine)
    assert os.path.exists(not_entered)
    assert entries_of(state) == [f"fifo {mine}"]
    assert [path.name.split("-")[0] for path in state.iterdir()] == ["owned"]
    entry.remove()


def test_a_file_that_has_the_name_of_a_pipe(state: Path, tmp_path: Path) -> None:
    paths = [tmp_path / each for each in ("file", "folder", "link")]
    names = [str(path) for path in [*paths, paths[0] / "x"]]
    with Forked(lambda tell, hear: [register("fifo", name) for name in names]) as child:
        assert child.wait() == 0
    paths[0].write_text("precious")
    paths[1].mkdir()
    os.mkfifo(tmp_path / "target")
    paths[2].symlink_to(tmp_path / "target")
    assert reap() == []
    assert all(path.is_symlink() or path.exists() for path in paths)
    assert (tmp_path / "target").exists()
    assert entries_of(state) == []


def test_the_next_owner_of_the_same_name(state: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "pipe")

    def make(enter_it: Callable[[str, str], Registration]) -> None:
        enter_it("fifo", path)
        os.mkfifo(path)

    with Forked(lambda tell, hear: make(register_reused)) as child:
        assert child.wait() == 0
    assert os.path.exists(path)
    entry = register_reused("fifo", path)
    assert not os.path.exists(path), "what was left is out of the way"
    os.mkfifo(path)
    assert reap() == []
    assert os.path.exists(path)
    entry.remove()


def test_without_the_packages(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be removed here is left to a process that has the package, and not forgotten."""
    name, path = f"/communica_like-{secrets.token_hex(8)}", str(tmp_path / "pipe")
    mq = PosixMQ(name)
    mq.close()
    os.mkfifo(path)
    things = (("posixmq", name), ("sysvmq", "5"), ("fifo", path))
    with Forked(lambda tell, hear: [register(*thing) for thing in things]) as child:
        assert child.wait() == 0
    with monkeypatch.context() as without:
        for package in ("posix_ipc", "sysv_ipc"):
            without.setitem(sys.modules, package, None)
        assert reap() == [f"fifo {path}"]
    assert entries_of(state) == [f"posixmq {name}", "sysvmq 5"]
    assert reap() == [f"posixmq {name}"]
    assert entries_of(state) == []


def test_another_reaper_has_stopped(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lock(tell: Tell, hear: Hear) -> None:
        with registry._locked(state, 0):
            tell("locked")
            hear()

    with Forked(lambda tell, hear: register("fifo", "/x")) as dead, Forked(lock) as stopped:
        dead.wait()
        stopped.line()
        os.kill(stopped.pid, signal.SIGSTOP)
        with pytest.raises(LinkError, match="stopped"):
            reap()
        reap_in_passing()
        assert len(entries_of(state)) == 1


def serve_for_a_moment(state: Path, address: str, path: str, seed: int) -> None:
    """What a server does: lock the address, remove what was left, make its pipe, serve, and be killed."""
    chance = random.Random(seed)
    for _ in range(2_000):
        try:
            lock = AddressLock(address)
        except Exception:
            continue
        entry = register_reused("fifo", path)
        try:
            os.mkfifo(path)
        except FileExistsError:
            # Of one who was killed, and has lost its lock, but is not dead yet.
            entry.remove()
            lock.release()
            continue
        lock.announce()
        for _ in range(chance.randrange(5)):
            os.stat(path)  # a live owner's thing is never removed
            assert lock.kept
            reap()
        os.stat(path)
        if chance.random() < 0.3:
            os.kill(os.getpid(), signal.SIGKILL)
        os.unlink(path)
        entry.remove()
        lock.release()


def test_a_live_owners_things_are_never_removed(state: Path, tmp_path: Path) -> None:
    """Servers take turns at one address and are killed, while others reap."""
    path = str(tmp_path / "pipe")
    for round_ in range(5):

        def serve(seed: int) -> Any:
            return lambda: serve_for_a_moment(state, "address", path, seed)

        def look() -> None:
            for _ in range(300):
                reap()

        statuses = run_all(*[serve(10 * round_ + number) for number in range(3)], look, look)
        assert set(statuses) <= {0, -signal.SIGKILL}, statuses
        assert statuses[3:] == [0, 0]
    reap()
    assert not os.path.exists(path)
    assert list(state.iterdir()) == []


def test_many_at_it_at_once(state: Path, tmp_path: Path) -> None:
    def work(seed: int) -> Any:
        def run() -> None:
            chance = random.Random(seed)
            for number in range(60):
                path = str(tmp_path / f"{os.getpid()}-{number}")
                entry = register("fifo", path)
                os.mkfifo(path)
                if chance.random() < 0.1:
                    reap()
                os.unlink(path)  # it raises if anybody else did
                entry.remove()
            path = str(tmp_path / f"{os.getpid()}-last")
            register("fifo", path)
            os.mkfifo(path)

        return run

    assert run_all(*[work(seed) for seed in range(6)]) == [0] * 6
    reap()
    assert sorted(each.name for each in tmp_path.iterdir()) == [state.name]
    assert list(state.iterdir()) == []
