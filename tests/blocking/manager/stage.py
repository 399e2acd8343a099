"""A server or a client in another process, and a place for sockets."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from ..parked import parked

__all__ = ["PATIENCE", "Child"]

PATIENCE = 20.0


class Child:
    """A program that talks in lines: ``python -m MODULE ARGUMENTS``. It is killed in the end."""

    def __init__(
        self,
        module: str,
        *arguments: object,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
        paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": paths, **(env or {})},
        )

        self._said = b""  # what was read, and not returned

    def line(self) -> str:
        stdout = self.process.stdout
        assert stdout is not None
        while b"\n" not in self._said:
            assert select.select([stdout], [], [], PATIENCE)[0], "it says nothing"
            part = os.read(stdout.fileno(), 65536)
            if not part:
                break
            self._said += part
        line, _, self._said = self._said.partition(b"\n")
        return line.decode().strip()

    def until_parked(self) -> None:
        """Wait until its main thread sleeps beside others."""
        deadline = time.monotonic() + PATIENCE
        while not parked(self.process.pid):
            assert time.monotonic() < deadline, "it does not wait"
            time.sleep(0.001)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> str:
        """Close its stdin; return what it says until it ends."""
        text, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0
        return (self._said + text).decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()
