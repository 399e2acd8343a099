"""ProcessLines: the lines of text that a child process reads and writes."""

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
from ...aio.waiters import Line
from ...exceptions import Closed, ConnectionLost, FeatureNotAvailable
from ..base import WaitingQueue
from .child import LineChild

__all__ = ["LineText", "ProcessLines"]


class LineText(Serializer):
    """``str(obj)`` as one line with a newline; loaded from a line without it.

    Args:
        encoding: one in which a newline is the byte 10.
        errors: see codecs.

    Raises:
        ValueError: the encoding is of another kind.
        LookupError: there is no such encoding or error handler.
    """

    def __init__(self, encoding: str, errors: str) -> None:
        if "\n".encode(encoding) != b"\n":
            raise ValueError(f"a newline in {encoding} is not the byte 10")
        codecs.lookup_error(errors)
        self._encoding = encoding
        self._errors = errors

    def dump(self, obj: Any, /) -> bytes:
        text = str(obj)
        if "\n" in text:
            raise ValueError("there is a newline in it")
        return f"{text}\n".encode(self._encoding, self._errors)

    def load(self, data: bytes, /) -> str:
        return data.decode(self._encoding, self._errors)


class ProcessLines(WaitingQueue):
    """A child process, as a queue: ``put`` gives it a line on stdin, ``get`` takes one from its stdout.

    Use it with ``async with``, or ``start`` and ``stop`` it; once. All methods, those with ``_nowait`` too,
    belong to the event loop of ``start``, and the child is killed when asyncio.run ends that.

    Items are text: ``str(item)`` is what the child reads. An item with a newline in it would be two lines,
    and is a SerializerError. What comes back is a line without its newline; a last one without is a line.

    The child leads a session and process group of its own: Ctrl-C in a terminal does not reach it, and what
    it started and left in the group is killed when it has ended. Its output ends with it, even if others
    hold its stdout open: what they write later is lost.

    What it writes to stderr is not passed on; its last 4 KiB are in the message of the ConnectionLost.

    Args:
        command: the program and its arguments; a str is split as a shell does it, but no shell is run.
        encoding: of both directions; one in which a newline is the byte 10, and that byte nothing else.
        errors: see codecs. With "surrogateescape", bytes that are not text come and go unaltered.
        max_waiting_bytes: when lines of more bytes wait to be taken, nothing is read, and the child waits
            when the pipe is full, too. Each line counts 64 bytes more than it has. A longer line comes, too.
        stop_timeout: seconds of each wait of ``stop``.
        env, cwd: as for subprocess.Popen.
        on_stderr: called with the bytes that it writes to stderr, as they come, in pieces.

    Raises:
        ValueError: the command is empty or badly quoted; the encoding is of another kind.
        LookupError: there is no such encoding or error handler.
        FeatureNotAvailable: on Windows.
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
        super().__init__(
            LineText(encoding, errors), Line(queue.Empty), Line(queue.Full, self._watch, self._ignore)
        )
        child = partial(LineChild, words, env=env, cwd=cwd, on_stderr=on_stderr)
        bound, getters, putters = max_waiting_bytes, self._getters, self._putters
        self._start = partial(child, max_waiting_bytes=bound, getters=getters, putters=putters)
        self._stop_timeout = stop_timeout
        self._child: LineChild | None = None

    @property
    def guarantees(self) -> Guarantees:
        return Guarantees(between_processes=False)

    @property
    def pid(self) -> int | None:
        """Its process id; None before ``start``."""
        return None if self._child is None else self._child.process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code; negative: the signal that killed it; None: not started, or not ended."""
        return None if self._child is None else self._child.process.returncode

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.process.returncode is None

    @property
    def stderr_tail(self) -> bytes:
        """The last bytes that it wrote to stderr, 4 KiB at most."""
        return b"" if self._child is None else self._child.process.stderr_tail

    async def start(self) -> None:
        """Start the child; if it was started already, do nothing.

        Raises:
            FileNotFoundError: there is no such program, or no such *cwd*.
            OSError: it cannot be started for another reason.
            Closed: it was closed.
        """
        self._check_open()
        if self._child is None:
            self._child = self._start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def put_nowait(self, item: Any, /) -> None:
        """Give the child a line. See ``put``.

        Raises:
            queue.Full: it has not read enough of the lines before.
        """
        self._write(self._dump(item))

    async def put(self, item: Any, /, *, timeout: float | None = None) -> None:
        """Give the child a line: it is in the pipe when this returns, or the rest of this one line is kept
        here and written as the child reads. Whether it was read is not known.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Full: the child did not read enough of the lines before in time.
            SerializerError: the item has a newline in it, or cannot be encoded; at once.
            ConnectionLost: the child has ended, or closed its stdin; this line was not sent.
            Closed: it was closed, or not started, or ``end_input`` was called.

        If it is cancelled, nothing of the line was written.
        """
        data = self._dump(item)
        await self._putters.enter(lambda: self._write(data), timeout)

    def get_nowait(self) -> str:
        return str(self._load(self._take()))

    async def get(self, *, timeout: float | None = None) -> str:
        """Take the child's next line, when there is one.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Empty: there was none in time.
            SerializerError: the line cannot be decoded. It is taken.
            ConnectionLost: all lines were taken, and the child has ended, whatever its exit code, or closed
                its stdout. The message has the exit code, and the end of what it wrote to stderr.
            Closed: it was closed, or not started.

        If it is cancelled, or its time is over, no line was taken.
        """
        return str(self._load(await self._getters.enter(self._take, timeout)))

    async def __anext__(self) -> str:
        """As ``get``; the iteration ends with the child's output, whatever its exit code, or when closed."""
        try:
            return await self.get()
        except (Closed, ConnectionLost):
            raise StopAsyncIteration from None

    def qsize(self) -> int:
        """Return how many of the child's lines were read and not taken yet."""
        return len(self._opened().reader)

    def end_input(self) -> None:
        """No more lines: the child sees the end of its stdin after those that were put. ``get`` goes on.

        Raises:
            Closed: it was closed, or not started.
        """
        self._opened().finish_input()

    async def stop(self, timeout: float | None = None) -> None:
        """End the child, and close this: whoever waits here ends with Closed; lines not taken are dropped.

        Its stdin is closed, when what was put is written. If that does not end it in time, its process group
        gets SIGTERM, and if that does not in time, SIGKILL. If others of the group hold its output open when
        it has ended, they get SIGTERM and the same time. It is reaped in any case; nothing can make this wait
        more than three times (one second at least, the third time). May be called again, and at once.

        Args:
            timeout: seconds of each wait; None: ``stop_timeout``.

        If it is cancelled, the child is killed at once.
        """
        super().close()
        if self._child is not None:
            await self._child.stop(self._stop_timeout if timeout is None else timeout)

    async def aclose(self) -> None:
        """The same as ``stop()``."""
        await self.stop()

    def close(self) -> None:
        """Kill the child with its process group, and reap it; whoever waits here ends with Closed.

        This blocks while the kernel ends it, 0.1 s at most; if that is not enough, a thread reaps it.
        """
        super().close()
        if self._child is not None:
            self._child.kill()

    def __del__(self) -> None:
        # There are no attributes if the constructor raised.
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

    def _take(self) -> bytes:
        return self._opened().take()

    def _write(self, data: bytes) -> None:
        self._opened().write(data)

    def _watch(self) -> None:
        if self._child is not None:
            self._child.watch()

    def _ignore(self) -> None:
        if self._child is not None:
            self._child.ignore()
