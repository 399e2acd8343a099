"""The connector of docs/howto/own-connector.md, as it is printed there."""

from __future__ import annotations

import importlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from communica_like.connectors import connector_from
from communica_like.testing import conformance
from communica_like.testing.conformance import CHECKS, Check, Meeting, meeting_of

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "own-connector.md"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install what the page says."""
    page = PAGE.read_text("utf-8")
    module, entry = re.findall(r'^```(?:python\n"""|toml\n)(.*?)^```$', page, re.MULTILINE | re.DOTALL)
    (tmp_path / "hallway.py").write_text(f'"""{module}')
    info = tmp_path / "hallway-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hallway\nVersion: 1.0\n")
    header, point = entry.splitlines()
    assert header == '[project.entry-points."communica_like.connectors"]'
    (info / "entry_points.txt").write_text(f"[communica_like.connectors]\n{point.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    paths = [str(tmp_path), str(Path(conformance.__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("hallway", None)


@pytest.fixture
def url() -> str:
    """An address that nobody served a moment ago, and that no outgoing connection gets."""
    for number in range(17_001, 17_100):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", number))
            except OSError:
                continue
            return f"hallway://{number}"
    raise AssertionError("no free port")


@pytest.mark.parametrize("check", CHECKS)
async def test_it_keeps_its_promises(check: Check, url: str) -> None:
    def make(authkey: bytes | None) -> Meeting:
        return meeting_of(connector_from(url, authkey=authkey))

    await check(make)


@pytest.mark.one_python
def test_it_keeps_them_between_processes(url: str) -> None:
    only = ["outcomes_between_processes", "server_killed", "one_server_of_many"]
    command = [sys.executable, "-m", "communica_like.testing.conformance", url]
    command += [f"--only={name}" for name in only]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "3 of 3 checks are ok"
