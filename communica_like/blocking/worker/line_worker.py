"""LineWorker: the async core of Worker, one child process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final

from ...exceptions import Closed, ConnectionLost, SerializerError
from ...queues import ProcessLines

logger = logging.getLogger("communica_like")

_SEND_TIMEOUT: Final = 5.0


class LineWorker:
    """Starts a program and calls a callback with each line it writes. Belongs to one event loop.

    Args:
        command, encoding, errors, max_waiting_bytes, stop_timeout: as for ProcessLines.
        callback: called with each line, in a thread of *executor*; None only keeps ``data``.
        executor: with one thread, so that calls do not overlap.
    """

    def __init__(
        self, command: str | Sequence[str], callback: Callable[[str], object] | None, executor: Executor, *,
        encoding: str, errors: str, max_waiting_bytes: int, stop_timeout: float,
    ) -> None:
        if callback is not None:
            _check_callback(callback)
        self._make = partial(
            ProcessLines, command.split() if isinstance(command, str) else list(command), encoding=encoding,
            errors=errors, max_waiting_bytes=max_waiting_bytes, stop_timeout=stop_timeout,
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
        """Whether the worker was started and not stopped since."""
        return self._taking is not None

    @property
    def running(self) -> bool:
        """Whether the program is running."""
        return self._lines.running

    @property
    def data(self) -> str | None:
        """The most recent line, or None if there was none since the start."""
        return self._data

    async def start(self) -> None:
        """Start the program. See Worker.start."""
        if self.running:
            return
        await self.stop()
        lines = self._lines = self._make()
        await lines.start()
        self._taking = asyncio.get_running_loop().create_task(self._take(lines), name=f"lines of {self!r}")

    async def send(self, data: Any, timeout: float | None = _SEND_TIMEOUT) -> None:
        """Send ``str(data)`` to the program as one line, without knowing whether the program reads it.

        Args:
            timeout: seconds to wait while the program does not read earlier lines; None waits without limit.

        Raises:
            queue.Full: the program did not read in time; this line was not sent.
            SerializerError: the text contains a newline, or cannot be encoded.
            ConnectionLost: the program has ended, or closed its stdin.
            Closed: the worker is not started.
        """
        await self._lines.put(data, timeout=timeout)

    async def stop(self) -> None:
        """End the program. See Worker.stop. Cancellation kills the program at once."""
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
        except BaseException:  # a future cannot carry StopIteration
            logger.exception("%r: the callback failed", self)


def _check_callback(callback: Callable[[str], object]) -> None:
    """Raise TypeError unless *callback* is a function with exactly one argument."""
    if not callable(callback):
        raise TypeError(f"the callback must be callable: {callback!r}")
    try:
        signature = inspect.signature(callback)
    except ValueError:
        return  # a builtin without a signature
    positional = [
        p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    with contextlib.suppress(TypeError):
        signature.bind("line")
        if len(positional) <= 1 and not inspect.iscoroutinefunction(callback):
            return
    raise TypeError(f"a callback is a plain function with exactly one argument, not {callback!r}{signature}")
