"""The async original of Worker: one child process after another, and what becomes of their lines."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final

from ...exceptions import Closed, ConnectionLost, SerializerError
from ...queues import ProcessLines

__all__ = ["LineWorker"]

logger = logging.getLogger("communica_like")

_SEND_TIMEOUT: Final = 5.0


class LineWorker:
    """Starts a program, takes its lines one by one, and gives each to a callback. Belongs to one event loop.

    Args:
        command, encoding, errors, max_waiting_bytes, stop_timeout: as for ProcessLines.
        callback: called with each line, in a thread of *executor*; None: none.
        executor: has one thread, so that no two calls run at a time.

    Raises:
        TypeError: the callback does not take exactly one argument.
        ValueError, LookupError, FeatureNotAvailable: as ProcessLines does.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        callback: Callable[[str], object] | None,
        executor: Executor,
        *,
        encoding: str,
        errors: str,
        max_waiting_bytes: int,
        stop_timeout: float,
    ) -> None:
        if callback is not None:
            check_callback(callback)
        self._make = partial(
            ProcessLines,
            command.split() if isinstance(command, str) else list(command),
            encoding=encoding,
            errors=errors,
            max_waiting_bytes=max_waiting_bytes,
            stop_timeout=stop_timeout,
        )
        self._lines = self._make()
        self._callback = callback
        self._executor = executor
        self._taking: asyncio.Task[None] | None = None
        self._data: str | None = None

    def __repr__(self) -> str:
        return f"<worker {self._make.args[0][0]} {'running' if self.running else 'not running'}>"

    @property
    def started(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._taking is not None

    @property
    def running(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._lines.running

    @property
    def data(self) -> str | None:
        """The most recent line, or None: there was none since the start."""
        return self._data

    async def start(self) -> None:
        """Start the program; if it runs, do nothing. When it has ended, or was stopped, it starts anew.

        Raises:
            FileNotFoundError: there is no such program.
            OSError: it cannot be started for another reason.
        """
        if self.running:
            return
        await self.stop()
        lines = self._lines = self._make()
        await lines.start()
        self._taking = asyncio.get_running_loop().create_task(self._take(lines), name=f"lines of {self!r}")

    async def send(self, data: Any, timeout: float | None = _SEND_TIMEOUT) -> None:
        """Send ``str(data)`` to the program, as one line. Whether it reads that is not known.

        Args:
            timeout: seconds to wait while it does not read what was sent before; None: as long as it takes.

        Raises:
            queue.Full: it did not read in time; this line was not sent.
            SerializerError: there is a newline in it, or it cannot be encoded.
            ConnectionLost: the program has ended, or closed its stdin.
            Closed: it was stopped, or not started.
        """
        await self._lines.put(data, timeout=timeout)

    async def stop(self) -> None:
        """End the program and forget its lines, ``data`` too. Nothing of it is left when this returns.

        Its stdin is closed; if that does not end it within ``stop_timeout`` seconds, it gets SIGTERM, and
        after as many seconds more SIGKILL; so does what it has started and left in its process group. No
        callback begins any more; one that runs goes on. May be called again, at any time. Ctrl-C while it
        waits kills the program at once.
        """
        taking, self._taking = self._taking, None
        if taking is not None:
            taking.cancel()
        try:
            await self._lines.stop()
        finally:
            self._data = None

    async def _take(self, lines: ProcessLines) -> None:
        while True:
            try:
                line = await lines.get()
            except Closed:
                return
            except ConnectionLost as error:
                level = logging.INFO if lines.returncode == 0 else logging.WARNING
                logger.log(level, "%r: %s", self, error)
                return
            except SerializerError as error:
                logger.error("%r: %s", self, error)
                continue
            self._data = line
            if self._callback is not None:
                await asyncio.get_running_loop().run_in_executor(self._executor, self._call, line)

    def _call(self, line: str) -> None:
        assert self._callback is not None
        try:
            self._callback(line)
        except BaseException:  # not only what a future can carry: a StopIteration would never arrive
            logger.exception("%r: the callback failed", self)


def check_callback(callback: Callable[[str], object]) -> None:
    """Raise TypeError if it is not a function with exactly one argument."""
    if not callable(callback):
        raise TypeError(f"a callback is callable; {callback!r} is not")
    try:
        signature = inspect.signature(callback)
    except ValueError:
        return  # a builtin that does not tell
    positional = [
        p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    try:
        signature.bind("line")
    except TypeError:
        fits = False
    else:
        fits = len(positional) <= 1
    if not fits or inspect.iscoroutinefunction(callback):
        raise TypeError(
            f"a callback is a plain function with exactly one argument, not {callback!r}{signature}"
        )
