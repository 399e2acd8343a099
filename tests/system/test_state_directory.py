from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from communica_like.exceptions import LinkError
from communica_like.system import state_directory
from communica_like.system.state_directory import private_directory
from tests.private_state import _module
from tests.system.forked import run_all


def test_it_is_private(state: Path, tmp_path: Path) -> None:
    assert state == tmp_path / f"communica_like-{os.getuid()}"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    state.rmdir()
    assert state_directory() == state
    assert state.is_dir(), "it is there again"


def test_it_is_refused_if_it_is_open_to_others(state: Path) -> None:
    for mode in (0o750, 0o701, 0o777):
        state.chmod(mode)
        with pytest.raises(LinkError, match="not a private directory"):
            state_directory()
    state.chmod(0o700)
    assert state_directory() == state


def test_something_else_has_its_name(state: Path, tmp_path: Path) -> None:
    state.rmdir()
    state.write_text("")
    with pytest.raises(LinkError, match="not a private directory"):
        state_directory()
    state.unlink()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkError, match="not a private directory"):
        state_directory()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users(state: Path) -> None:
    os.chown(state, 12345, 12345)
    with pytest.raises(LinkError, match="owner 12345"):
        state_directory()


def test_where_the_first_place_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = tmp_path / "second"
    second.mkdir()
    # Where mode bits do not stop root, what is not there does.
    monkeypatch.setattr(_module(), "_PLACES", (str(tmp_path / "first"), str(second)))
    assert state_directory().parent == second
    second.rename(tmp_path / "gone")
    with pytest.raises(LinkError, match="no place"):
        state_directory()


def test_a_place_that_may_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        readonly = Path(folder) / "readonly"
        readonly.mkdir()
        monkeypatch.setattr(_module(), "_PLACES", (str(readonly), folder))

        def look() -> None:
            if os.getuid() == 0:  # whom no mode stops
                os.chown(folder, 12345, 12345)
                os.chown(readonly, 12345, 12345)
                os.setresuid(12345, 12345, 12345)
            readonly.chmod(0o500)
            assert state_directory().parent == Path(folder)
            readonly.chmod(0o700)
            assert state_directory().parent == readonly

        assert run_all(look) == [0]


def test_a_place_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="cannot make a private directory"):
        private_directory(tmp_path / "gone")
