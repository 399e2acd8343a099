from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from communica_like.system.lock_file import LockFile
from tests.system.forked import Forked, Hear, Tell, run_all


def test_one_has_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with LockFile(path) as lock:
        lock.write(b"a long text")
        lock.write(b"short")
        assert path.read_bytes() == b"short"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for _ in range(3):
            with pytest.raises(BlockingIOError):
                LockFile(path)
        assert path.read_bytes() == b"short", "it is unharmed"
        assert lock.kept
    assert not path.exists()
    LockFile(path).release()


def test_descriptors_are_closed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with LockFile(tmp_path / "lock"):
        for _ in range(10):
            with pytest.raises(BlockingIOError):
                LockFile(tmp_path / "lock")
    assert len(os.listdir("/proc/self/fd")) <= before


def test_it_ends_with_the_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    def hold(tell: Tell, hear: Hear) -> None:
        LockFile(path)
        tell("locked")
        hear()

    with Forked(hold) as child:
        child.line()
        with pytest.raises(BlockingIOError):
            LockFile(path)
        child.kill()
        assert path.exists(), "what a killed process leaves"
        with LockFile(path):
            pass
    assert not path.exists()


def test_another_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = LockFile(path)
    path.unlink()
    assert not lock.kept
    other = LockFile(path)
    assert not lock.kept
    lock.release()
    assert path.exists()
    assert other.kept
    other.release()
    assert not path.exists()


def test_it_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        LockFile(tmp_path / "lock")
    assert not (tmp_path / "elsewhere").exists()


def test_a_fork_neither_holds_nor_removes_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = LockFile(path)

    def child_of_the_owner(tell: Tell, hear: Hear) -> None:
        hear()
        lock.release()
        tell("released")
        hear()

    with Forked(child_of_the_owner) as child:
        child.tell("go on")
        assert child.line() == "released"
        assert path.exists()
        with pytest.raises(BlockingIOError):
            LockFile(path)
        lock.release()
        LockFile(path).release()  # the child lives, and has nothing


def test_processes_that_want_it_at_once(tmp_path: Path) -> None:
    """Only one at a time has it, however files come and go."""
    path, inside = tmp_path / "lock", tmp_path / "inside"

    def contend() -> None:
        had = 0
        while had < 100:
            try:
                lock = LockFile(path)
            except BlockingIOError:
                continue
            with lock:
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                inside.unlink()
                had += 1

    assert run_all(*[contend] * 4) == [0] * 4
