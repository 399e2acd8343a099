"""ProcessLines: the lines of text that a child process reads and writes, as a queue."""

from __future__ import annotations

import codecs
import os
import queue
import shlex
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self

from ...abc import Guarantees, Serializer
from ...aio.waiters import Waiters
from ...exceptions import Closed, ConnectionLost, FeatureNotAvailable
from ...system.child_process import ChildProcess
from ..base import WaitingQueue
from .child import LineChild


class LineText(Serializer):
    """Dumps ``str(obj)`` as one line with a newline; loads text from a line without it. See ProcessLines."""

    def __init__(self, encoding: str, errors: str) -> None:
        if "\n".encode(encoding) != b"\n":
            raise ValueError(f"in the encoding {encoding} a newline is not the byte 10")
        codecs.lookup_error(errors)
        self._encoding = encoding
        self._errors = errors

    def dump(self, obj: Any, /) -> bytes:
        text = str(obj)
        if "\n" in text:
            raise ValueError("it contains a newline")
        return f"{text}\n".encode(self._encoding, self._errors)

    def load(self, data: bytes, /) -> str:
        return data.decode(self._encoding, self._errors)


class ProcessLines(WaitingQueue):
    """A child process as a queue: ``put`` writes a line to its stdin, ``get`` reads one from its stdout.

    Use ``async with``, or ``start`` and ``stop``, once. All methods, those with ``_nowait`` too, belong to
    the event loop of ``start``. The child is killed when asyncio.run ends that loop.

    Items are text: the child reads ``str(item)``. An item that contains a newline is a SerializerError.
    ``get`` returns a line without its newline; text without a newline at the end of the output is a line,
    too. When ``put`` returns, the line is in the pipe, except that the rest of one line may be kept here and
    is written as the child reads. Whether the child has read it is not known.

    The child leads a session and process group of its own: Ctrl-C in a terminal does not reach it, and the
    rest of the group is killed when it has ended. Its output ends with it: what other processes write to its
    stdout later is lost. The last 4 KiB of its stderr are in the message of ConnectionLost.

    Args:
        command: the program and its arguments. A str is split as by a shell, but no shell is run.
        encoding: of both directions; one in which a newline is the byte 10, and that byte nothing else.
        errors: an error handler of codecs. "surrogateescape" keeps bytes that are not text unaltered.
        max_waiting_bytes: while lines of more bytes wait to be taken, nothing is read, and the child blocks
            when the pipe is full. Each line counts 64 bytes extra. A single line may be longer.
        stop_timeout: seconds of each wait of ``stop``.
        env, cwd: as for subprocess.Popen.
        on_stderr: called with each piece of bytes that the child writes to stderr.

    Raises:
        ValueError: the command is empty or badly quoted, or a newline is not the byte 10 in the encoding.
        LookupError: there is no such encoding or error handler.
        FeatureNotAvailable: the system is Windows.

    Raises (``put`` and ``get``, with ``_nowait`` too):
        ConnectionLost: the child has ended, with any exit code, or closed its stdin, and this line was not
            sent; or it closed its stdout, and all lines were taken. The message has the exit code and the end
            of stderr.
        Closed: the queue was closed, or not started; by ``put`` also: ``end_input`` was called.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        encoding: str = "utf-8",
        errors: str = "surrogateescape",
        max_waiting_bytes: int = 1 << 20,
        stop_timeout: float = 5.0,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        on_stderr: Callable[[bytes], object] | None = None,
    ) -> None:
        if sys.platform == "win32":
            raise FeatureNotAvailable("ProcessLines needs process groups and pipes that can be polled")
        words = shlex.split(command) if isinstance(command, str) else list(command)
        if not words:
            raise ValueError("the command is empty")
        getters, putters = Waiters(queue.Empty), Waiters(queue.Full, self._watch, self._ignore)
        super().__init__(LineText(encoding, errors), getters, putters)
        launch = partial(ChildProcess, words, env=env, cwd=cwd, on_stderr=on_stderr)
        self._start = partial(LineChild, launch, getters, putters, max_waiting_bytes)
        self._stop_timeout = stop_timeout
        self._child: LineChild | None = None

    @property
    def guarantees(self) -> Guarantees:
        return Guarantees(between_processes=False)

    @property
    def pid(self) -> int | None:
        """The child's process id; None before ``start``."""
        return None if self._child is None else self._child.process.pid

    @property
    def returncode(self) -> int | None:
        """The child's exit code; negative: the signal that killed it; None: not started, or not ended."""
        return None if self._child is None else self._child.process.returncode

    @property
    def running(self) -> bool:
        """Whether the child was started and has not ended."""
        return self._child is not None and self._child.process.returncode is None

    @property
    def stderr_tail(self) -> bytes:
        """The last bytes that the child wrote to stderr, at most 4 KiB."""
        return b"" if self._child is None else self._child.process.stderr_tail

    async def start(self) -> None:
        """Start the child. Repeated calls do nothing.

        Raises:
            FileNotFoundError: there is no such program, or no such *cwd*.
            OSError: the child cannot be started for another reason.
            Closed: the queue was closed.
        """
        self._check_open()
        if self._child is None:
            self._child = self._start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def get_nowait(self) -> str:
        return str(self._load(self._receive()))

    async def get(self, *, timeout: float | None = None) -> str:
        return str(self._load(await self._getters.wait(self._receive, timeout)))

    async def __anext__(self) -> str:
        """Return the next line. The iteration ends with the child's output, or when the queue is closed."""
        try:
            return await self.get()
        except (Closed, ConnectionLost):
            raise StopAsyncIteration from None

    def qsize(self) -> int:
        """Return how many of the child's lines have been read and wait to be taken."""
        return len(self._opened().lines)

    def end_input(self) -> None:
        """Close the child's stdin after the lines that were put. ``get`` keeps working.

        Raises:
            Closed: the queue was closed, or not started.
        """
        self._opened().finish_input()

    async def stop(self, timeout: float | None = None) -> None:
        """End the child and close the queue. Callers that wait get ``Closed``; lines not taken are dropped.

        The child's stdin is closed after what was put. If the child does not end in time, its process group
        gets SIGTERM, and if that does not help in time, SIGKILL. Processes of the group that hold its output
        open when it has ended get SIGTERM and the same time. The child is reaped in any case. There are at
        most three waits, the third of one second at least. May be called repeatedly, and at once. If it is
        cancelled, the child is killed at once.

        Args:
            timeout: seconds of each wait; None: ``stop_timeout``.
        """
        super().close()
        if self._child is not None:
            await self._child.stop(self._stop_timeout if timeout is None else timeout)

    async def aclose(self) -> None:
        """Do the same as ``stop()``."""
        await self.stop()

    def close(self) -> None:
        """Kill the child and its process group. Callers that wait get ``Closed``.

        Blocks while the kernel ends the child, for at most 0.1 s. After that a thread reaps it.
        """
        super().close()
        if self._child is not None:
            self._child.kill()

    def __del__(self) -> None:
        # The constructor may have raised before it set attributes.
        child = getattr(self, "_child", None)
        if child is not None and not child.process.killed:
            warnings.warn(f"{self!r} was not stopped", ResourceWarning, source=self, stacklevel=1)
            self.close()

    # -- attempts

    def _opened(self) -> LineChild:
        self._check_open()
        if self._child is None:
            raise Closed("the queue was not started")
        return self._child

    def _send(self, data: bytes, /) -> None:
        self._opened().write(data)

    def _receive(self) -> bytes:
        return self._opened().take()

    def _watch(self) -> None:
        if self._child is not None:
            self._child.watch()

    def _ignore(self) -> None:
        if self._child is not None:
            self._child.ignore()
