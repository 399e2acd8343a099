"""A child of StdioConnector does not outlive its parent."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.connectors.stdio.stage import ROOT
from tests.queues.process.programs import lives

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipes that an event loop can watch")

DEADLINE = 40.0
WISHES = [
    "idle",
    "blocked",
    "hang",
    "grandchild",
    "blocked deaf grandchild",
    "hang deaf grandchild",
    "shell",
    "shell blocked",
]


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def keep(wishes: str, ended: Path) -> subprocess.Popen[str]:
    """Start a parent; its child makes a file when it ends by itself."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.connectors.stdio.keeper_program", *wishes.split()],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STDIO_WORKER_ENDED": str(ended)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_the_parent_is_killed(tmp_path: Path) -> None:
    keepers: dict[str, subprocess.Popen[str]] = {}
    pids: dict[str, list[int]] = {}
    try:
        for wishes in WISHES:  # all at once: each of them takes its time
            keepers[wishes] = keep(wishes, tmp_path / wishes)
        for wishes, keeper in keepers.items():
            assert keeper.stdout is not None
            pids[wishes] = [int(word) for word in keeper.stdout.readline().split()]
            assert pids[wishes], wishes
            assert all(map(lives, pids[wishes])), wishes
        for keeper in keepers.values():
            keeper.kill()
            keeper.wait()
        for wishes in WISHES:
            wait_until(lambda wishes=wishes: not any(map(lives, pids[wishes])))  # type: ignore[misc]
        assert {"idle", "shell"} <= {path.name for path in tmp_path.iterdir()}, "these ended by themselves"
    finally:
        for keeper in keepers.values():
            keeper.kill()
            keeper.communicate()
        for pid in filter(lives, itertools.chain(*pids.values())):
            os.kill(pid, signal.SIGKILL)
