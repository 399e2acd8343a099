"""Worker: a program that is given lines of text, and a function that is called with its lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from ...exceptions import Closed
from ..facade import Attribute, awaited
from ..handler_threads import Workers
from ..lifecycle import Lifecycle
from ..portal.portal import Portal
from .line_worker import LineWorker

__all__ = ["Worker"]


class Worker(Lifecycle[LineWorker]):
    """An external program to exchange lines of text with: ``with Worker(["program", "argument"]) as worker:``

    What is sent is a line on its stdin; lines that it writes to stdout come back, of any length. Any thread
    may use it, its callback too. The program leads a process group of its own, so that Ctrl-C in a terminal
    does not reach it; it is stopped when the interpreter exits, and killed if that is not possible.

    Args:
        command: the program and its arguments: a list, whose items may have spaces in them; or text, which is
            split at spaces, whatever they mean.
        callback: called with each line, a str, as its only argument: in a thread that is this worker's
            alone, for one line after another, in order. While it runs, the next lines wait, and when there
            are too many, so does the program. It may send, and stop the worker. What it raises is logged,
            and the next line comes.
        start: whether to start it at once.
        encoding, errors, max_waiting_bytes, stop_timeout: as for ProcessLines.
        portal: whose event loop it lives on; None: the one that all share.

    When the program ends by itself, its last lines still come, and the log tells of an exit code other than 0
    with the end of what it wrote to stderr.

    Raises:
        TypeError: the callback does not take exactly one argument.
        OSError: the program cannot be started; FileNotFoundError if there is none.
        ValueError: the command is empty.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        callback: Callable[[str], object] | None = None,
        start: bool = True,
        *,
        encoding: str = "utf-8",
        errors: str = "surrogateescape",
        max_waiting_bytes: int = 1 << 20,
        stop_timeout: float = 5.0,
        portal: Portal | None = None,
    ) -> None:
        threads = Workers(1)
        core = LineWorker(
            command,
            callback,
            threads,
            encoding=encoding,
            errors=errors,
            max_waiting_bytes=max_waiting_bytes,
            stop_timeout=stop_timeout,
        )
        super().__init__(core, threads, portal)
        if start:
            self.start()

    def __repr__(self) -> str:
        return f"<blocking {self._core!r}>"

    running = Attribute(LineWorker.running)
    data = Attribute(LineWorker.data)
    send = awaited(LineWorker.send)

    def start(self) -> None:
        """Start the program; if it runs, do nothing. When it has ended, or was stopped, it starts anew.

        Raises:
            OSError: it cannot be started; FileNotFoundError if there is no such program.
        """
        with self._stay() as portal:
            portal.run(self._core.start())

    def stop(self) -> None:
        """End the program and forget its lines, ``data`` too. Nothing of it is left when this returns.

        See ``stop_timeout`` of ProcessLines for how long it may take. No callback begins any more; one that
        runs goes on. May be called again, at any time. Ctrl-C while it waits kills the program at once. In a
        forked process it does nothing: the program is its parent's.
        """
        portal = self._portal
        if portal is not None and portal.here:
            with self._stay() as portal:
                portal.run(self._core.stop())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _farewell(self) -> None:
        self.stop()

    def _lives(self) -> bool:
        return self._core.started

    def _lifeless(self) -> Exception:
        return Closed("the worker is not started")
