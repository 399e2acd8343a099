"""Functions that run in a forked child."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

__all__ = ["Forked", "Hear", "Tell", "run_all"]

Tell = Callable[[str], None]
Hear = Callable[[], str]


class Forked:
    """A forked child that runs a function, from ``with`` until its end, at which it is killed if it lives.

    Args:
        function: what it runs. It is given a function that tells a line of text, and one that hears one.
    """

    def __init__(self, function: Callable[[Tell, Hear], object]) -> None:
        self._function = function
        self.status: int | None = None

    def __enter__(self) -> Self:
        reading, told = os.pipe()
        heard, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(reading)
                os.close(writing)
                with os.fdopen(told, "w") as out, os.fdopen(heard) as inp:
                    self._function(lambda text: print(text, file=out, flush=True), inp.readline)
                code = 0
            except BaseException:
                traceback.print_exc(file=sys.__stderr__)
            finally:
                os._exit(code)
        os.close(told)
        os.close(heard)
        self._reading, self._writing = os.fdopen(reading), os.fdopen(writing, "w")
        return self

    def line(self) -> str:
        """Return the next line that it tells."""
        line = self._reading.readline()
        assert line, "it ended without a word"
        return line.rstrip("\n")

    def tell(self, text: str) -> None:
        """Tell it a line."""
        print(text, file=self._writing, flush=True)

    def wait(self) -> int:
        """Return its exit code, when it has ended."""
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._reading.close()
        self._writing.close()


def run_all(*functions: Callable[[], object]) -> list[int]:
    """Run all at once, each in a child; return their exit codes."""
    children = [Forked(lambda tell, hear, function=function: function()) for function in functions]  # type: ignore[misc]
    try:
        for child in children:
            child.__enter__()
        return [child.wait() for child in children]
    finally:
        for child in children:
            if hasattr(child, "_reading"):
                child.__exit__(None, None, None)
