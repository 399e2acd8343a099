"""Worker: an external program that exchanges lines of text, as in simple-ipc."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from ...exceptions import Closed
from ..facade import Attribute, awaited
from ..handler_threads import Workers
from ..lifecycle import Lifecycle
from ..portal.portal import Portal
from .line_worker import LineWorker


class Worker(Lifecycle[LineWorker]):
    """An external program to exchange lines of text with: ``with Worker(["program", "argument"]) as worker:``

    ``send`` writes a line to its stdin; the callback gets the lines that it writes to stdout, of any length.
    Any thread may use a worker, including its callback. The program leads a process group of its own, so
    Ctrl-C in a terminal does not reach it. It is stopped, or else killed, when the interpreter exits.

    Args:
        command: the program and its arguments, as a list, or as text that is split at spaces.
        callback: called with each line, a str, in order, in a thread of this worker's own. While it runs,
            later lines wait, and eventually the program does. It may send, and stop the worker. An exception
            in it is logged, and the next line follows.
        start: whether to start the program at once.
        encoding, errors, max_waiting_bytes, stop_timeout: as for ProcessLines.
        portal: its event loop runs the worker; None uses the shared one.

    When the program ends by itself, its last lines still arrive. An exit code other than 0 is logged with the
    end of its stderr.

    Raises:
        TypeError: the callback does not take exactly one argument.
        OSError: the program cannot be started; FileNotFoundError if it does not exist.
        ValueError, LookupError, FeatureNotAvailable: as ProcessLines does.
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
            command, callback, threads, encoding=encoding, errors=errors, max_waiting_bytes=max_waiting_bytes,
            stop_timeout=stop_timeout,
        )
        super().__init__(core, threads, portal)
        if start:
            self.start()

    running = Attribute(LineWorker.running)
    data = Attribute(LineWorker.data)
    send = awaited(LineWorker.send)

    def start(self) -> None:
        """Start the program, unless it is running. One that has ended, or was stopped, starts anew.

        Raises:
            OSError: it cannot be started; FileNotFoundError if it does not exist.
        """
        with self._stay() as portal:
            portal.run(self._core.start())

    def stop(self) -> None:
        """End the program, and discard its lines and ``data``. When this returns, the program is gone.

        Closes its stdin; a program that does not end within ``stop_timeout`` seconds gets SIGTERM, and after
        as many seconds again SIGKILL, with its whole process group. No callback starts any more; one that is
        running continues. May be called at any time, repeatedly. Ctrl-C while it waits kills the program at
        once. Does nothing in a forked child: the program is its parent's.
        """
        portal = self._portal
        if portal is not None and portal.here:
            with self._stay() as portal:
                portal.run(self._core.stop())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _farewell(self) -> None:
        self.stop()

    def _lives(self) -> bool:
        return self._core.started

    def _lifeless(self) -> Exception:
        return Closed("the worker is not started")
