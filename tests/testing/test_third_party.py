"""The kit, as a third party uses it: for a connector that keeps all promises, and for ones that do not."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from communica_like import connector_from
from communica_like.testing import conformance
from communica_like.testing.conformance import (
    ALL_CHECKS,
    PROCESS_CHECKS,
    Meeting,
    checks_for,
    deaths,
    exits,
    meeting,
    meeting_of,
)

if sys.platform == "win32":
    pytest.skip("its links are over Unix sockets", allow_module_level=True)

pytestmark = pytest.mark.one_python

HERE = Path(__file__).parent / "third_party"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path, which may be too long for a socket."""
    path = Path(tempfile.mkdtemp(prefix="cl-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the distribution for this process, and for those that it starts."""
    shutil.copy(HERE / "odd_wires.py", tmp_path)
    info = tmp_path / "odd_wires-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-wires\nVersion: 1.0\n")
    shutil.copy(HERE / "entry_points.txt", info)
    monkeypatch.syspath_prepend(tmp_path)
    package = Path(conformance.__file__).parents[3]
    paths = [str(tmp_path), str(package), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("odd_wires", None)


def kit(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "communica_like.testing.conformance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


def test_a_connector_that_keeps_its_promises(folder: Path) -> None:
    only = ["address", "link", "outcomes_between_processes", "server_killed"]
    done = kit(f"wire://{folder}/it", *(f"--only={name}" for name in only))
    assert done.returncode == 0, done.stdout + done.stderr
    # On a busy machine a handler may seem to be slow.
    assert [line for line in done.stderr.splitlines() if "held up the event loop" not in line] == []
    lines = done.stdout.splitlines()
    assert lines[-1] == "4 of 4 checks are ok"
    assert sorted(line.split()[1] for line in lines[:-1]) == sorted(only)
    assert all(line.startswith("ok ") for line in lines[:-1])


def test_a_connector_that_starts_its_server(folder: Path) -> None:
    only = ["outcomes_between_processes", "server_killed", "client_killed", "exactly_once_between_processes"]
    urls = [f"wire-child://{folder}/it", "--starts-server", f"wire-once://{folder}/served"]
    done = kit(*urls, *(f"--only={name}" for name in only))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "4 of 4 checks are ok"


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_a_connector_that_keeps_all_its_promises(folder: Path) -> None:
    command = [sys.executable, "-m", "communica_like.testing.conformance", f"wire://{folder}/it", "--heavy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(ALL_CHECKS)
    assert done.stdout.splitlines()[-1] == f"{count} of {count} checks are ok"


def test_a_failed_check_is_told(folder: Path) -> None:
    done = kit(f"wire-stealing://{folder}/it", "--only=one_server", "--only=link")
    assert done.returncode == 1
    first, second, last = done.stdout.splitlines()
    assert first.startswith("ok     link ")
    assert second == "FAILED one_server"
    assert last == "1 of 2 checks are ok"
    assert "a second server is AddressInUse" in done.stderr
    assert "AssertionError: no AddressInUse: the address has one server" in done.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["owl://hoo"], "known are .*local://.*wire-late://"),
        (["wire:///it", "--only=nothing"], "no such check"),
        (["memory://it", "--only=server_killed"], "no such check"),
    ],
)
def test_what_cannot_be_checked(arguments: list[str], message: str) -> None:
    done = kit(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert re.search(message, done.stderr)


def test_guarantees_choose_the_checks() -> None:
    here = meeting_of(connector_from("memory://it"))
    assert set(checks_for(here)) == set(conformance.CHECKS)
    assert checks_for(here, heavy=True) == []
    there = meeting_of(connector_from("wire:///it"))
    assert set(checks_for(there)) | set(checks_for(there, heavy=True)) == set(ALL_CHECKS)
    started = there._replace(starts_server=True)
    assert set(PROCESS_CHECKS) - set(checks_for(started)) == {exits.check_one_server_of_many}
    assert set(checks_for(started)) < set(PROCESS_CHECKS)


@pytest.mark.parametrize(
    "kind, names",
    [
        ("quiet", ["server_killed"]),
        ("single", ["authkey", "clean_exit", "many_processes", "strangers_between_processes"]),
    ],
)
def test_a_connector_is_checked_as_it_declares_itself(kind: str, names: list[str], folder: Path) -> None:
    done = kit(f"wire-{kind}://{folder}/it", *(f"--only={name}" for name in names))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{len(names)} of {len(names)} checks are ok"


@pytest.mark.parametrize(
    "fault, name, promise",
    [
        ("late", "link", r"close\(\) sends"),
        ("twice", "link", "bytes arrive once"),
        ("twice", "one_outcome", "promised is: Each request has exactly one outcome"),
        ("reordering", "link", "in order"),
        ("silent", "link", "hears of it"),
        ("boasting", "server_killed", "have an outcome within"),
        ("stealing", "one_server", "the address has one server"),
        ("stealing", "one_server_of_many", "a second server ends"),
        ("reordering", "outcomes_between_processes", "in order"),
        ("leaking", "clean_exit", "left behind.*leak"),
        ("leaking", "killed_leave_nothing", "nothing is left behind.*leak"),
        ("staying", "killed_leave_nothing", "the server starts"),
        ("open", "strangers_between_processes", "no AuthenticationError"),
        ("blabbing", "address", "hold no secret"),
    ],
)
async def test_a_broken_promise_is_caught(
    fault: str, name: str, promise: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deaths, "_NOTICE", 0.5)
    if fault not in ("staying", "leaking"):
        monkeypatch.setattr(meeting, "PATIENCE", 1.0)
    check = {check.__name__: check for check in ALL_CHECKS}[f"check_{name}"]

    def make(authkey: bytes | None) -> Meeting:
        connector = connector_from(f"wire-{fault}://{folder}/it", authkey=authkey)
        return meeting_of(connector)._replace(leftovers=lambda: [path.name for path in folder.iterdir()])

    with pytest.raises(AssertionError, match=promise):
        await check(make)
