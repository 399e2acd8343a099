from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from communica_like.exceptions import LinkError
from communica_like.system import state_directory, state_path


def test_it_is_private(state: Path, tmp_path: Path) -> None:
    assert state == tmp_path / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    state.rmdir()
    former = os.umask(0)
    try:
        assert state_directory() == state
    finally:
        os.umask(former)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700, "it is there again"
    assert state_directory() == state


@pytest.mark.parametrize("value", [None, ""])
def test_by_default_it_does_not_depend_on_the_directory_for_temporary_files(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMMUNICA_LIKE_DIR")
    if value is not None:
        monkeypatch.setenv("COMMUNICA_LIKE_DIR", value)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert state_path() == Path(f"/tmp/communica_like-{os.getuid()}")


def test_children_inherit_it(state: Path) -> None:
    program = "from communica_like.system import state_directory; print(state_directory())"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == f"{state}\n"


@pytest.mark.parametrize("value", ["state", "./state", "~/state"])
def test_a_relative_path_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNICA_LIKE_DIR", value)
    with pytest.raises(ValueError, match="COMMUNICA_LIKE_DIR must be an absolute path"):
        state_path()
    assert not os.path.exists(value)


def test_it_is_refused_if_it_is_open_to_others(state: Path) -> None:
    for mode in (0o701, 0o710, 0o740, 0o750, 0o777):
        state.chmod(mode)
        with pytest.raises(LinkError, match=r"not a private directory of .* set COMMUNICA_LIKE_DIR"):
            state_directory()
    state.chmod(0o700)
    assert state_directory() == state


def test_something_else_has_its_name(state: Path, tmp_path: Path) -> None:
    state.rmdir()
    state.touch(mode=0o600)
    with pytest.raises(LinkError, match="not a private directory"):
        state_directory()
    state.unlink()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkError, match="not a private directory"):
        state_directory()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_user_has_it(state: Path) -> None:
    os.chown(state, 12345, 12345)
    with pytest.raises(LinkError, match=r"owner 12345, .* set COMMUNICA_LIKE_DIR"):
        state_directory()


def test_its_parent_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNICA_LIKE_DIR", str(tmp_path / "gone" / "state"))
    with pytest.raises(LinkError, match=r"cannot create .*COMMUNICA_LIKE_DIR") as caught:
        state_directory()
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert not (tmp_path / "gone").exists()
