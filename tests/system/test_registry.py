from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest

from communica_like.system import ProcessId, reap, register, register_reused, registry
from tests.private_state import entries_of
from tests.system.forked import Forked, Hear, Tell, run_all


def owner_of(path: Path) -> ProcessId:
    return ProcessId.parse(path.name.split("-")[1])


def test_entered_and_struck(state: Path) -> None:
    first, second = register("fifo", "/a"), register("posixmq", "/b")
    third = register("sysvmq", "5")
    assert entries_of(state) == ["fifo /a", "posixmq /b", "sysvmq 5"]
    for path in state.iterdir():
        assert owner_of(path) == ProcessId.own()
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    second.remove()
    second.remove()
    assert entries_of(state) == ["fifo /a", "sysvmq 5"]
    again = register("posixmq", "/b")
    second.remove()
    assert len(entries_of(state)) == 3, "an entry is struck once"
    for entry in (first, third, again):
        entry.remove()
    assert entries_of(state) == []


def test_an_unknown_kind(state: Path) -> None:
    with pytest.raises(ValueError, match="fifo"):
        register("socket", "/a")
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("name", ["", "\n", "a\nb", "\udcff", "é\0"])
def test_odd_names(state: Path, name: str) -> None:
    entry = register("posixmq", name)
    [path] = state.iterdir()
    assert registry._read(path) == ("posixmq", name)
    entry.remove()

    def own(tell: object, hear: object) -> None:
        register("posixmq", name)
        register_reused("fifo", name)
        register("sysvmq", name)

    with Forked(own):
        pass
    assert reap() == []
    assert entries_of(state) == []


def test_a_fork_cannot_remove(state: Path) -> None:
    entry = register("fifo", "/a")

    def remove() -> None:
        entry.remove()
        own = register("fifo", "/b")
        assert len(entries_of(state)) == 2
        own.remove()

    assert run_all(remove) == [0]
    assert entries_of(state) == ["fifo /a"]
    entry.remove()
    assert entries_of(state) == []


def test_what_a_killed_process_left_half_written(state: Path) -> None:
    def hold(tell: Tell, hear: Hear) -> None:
        register("fifo", str(state / "pipe-x"))
        tell("entered")
        hear()

    with Forked(hold) as child:
        child.line()
        [path] = state.iterdir()
        (state / f"{path.name}9").write_bytes(b"")
        (state / f"{path.name}8").write_bytes(b"fif")
        (state / f"{path.name}7").write_bytes(b"unknown\nx")
        (state / "owned-nobody-1").write_bytes(b"fifo\n/x")
        assert reap() == []
        assert len(entries_of(state)) == 5, "it lives"
        child.kill()
    assert reap() == []
    assert entries_of(state) == ["fifo /x"], "whose that is nobody knows"


def test_no_room_to_write(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_bytes(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(OSError, match="No space"):
        register("fifo", "/a")
    assert list(state.iterdir()) == [], "an entry that nobody could remove is not left"


def test_nobody_waits_long_for_whoever_has_stopped(state: Path) -> None:
    def lock(tell: Tell, hear: Hear) -> None:
        register("fifo", "/there/is/none")
        with registry._locked(state, 0):
            tell("locked")
            hear()

    with Forked(lambda tell, hear: (register("fifo", "/nor/here"), None)) as dead, Forked(lock) as stopped:
        dead.wait()
        stopped.line()
        entry = register("fifo", "/x")  # a name that nobody had needs no lock
        entry.remove()
        with pytest.raises(BlockingIOError, match="stopped"):
            registry._reap(0.01)
        with pytest.raises(BlockingIOError, match="stopped"):
            register_reused("fifo", "/x")
        assert len(entries_of(state)) == 2
        stopped.kill()
    assert reap() == []
    assert entries_of(state) == []


def test_a_fork_does_not_hold_the_lock(state: Path) -> None:
    def wait(tell: Tell, hear: Hear) -> None:
        tell("forked")
        hear()

    with contextlib.ExitStack() as stack:
        with registry._locked(state, 0):
            child = stack.enter_context(Forked(wait))
            child.line()
        with registry._locked(state, 0):
            assert child.status is None, "it lives"


def test_descriptors_are_closed(state: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        register_reused("fifo", "/x").remove()
        reap()
    assert len(os.listdir("/proc/self/fd")) <= before
