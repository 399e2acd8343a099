"""Queues in named pipes: SimplePipeQueue blocks, and PipeQueue is its asyncio twin.

Both names are those of turberfield-utils, so the asyncio class lives here too.
"""

from __future__ import annotations

import os
import queue
import sys
from typing import Any, Self

from .. import queues
from ..abc import Serializer
from ..exceptions import Closed
from ..serializers import LiteralSerializer
from .portal.portal import Portal
from .queues.base import BlockingQueue, not_dumped
from .queues.raw import Message, MessageQueue
from .queues.retry import refused

if sys.platform != "win32":
    from select import PIPE_BUF

__all__ = ["PipeQueue", "SimplePipeQueue"]


class PipeMessages(MessageQueue, queues.PipeQueue):
    """An asyncio PipeQueue whose items are lines, including their newlines.

    Args:
        path, history, mode, create: as for queues.PipeQueue.
    """

    def put_nowait(self, item: bytes, /) -> None:
        if len(item) >= PIPE_BUF or b"\n" in item:
            self._line(item)  # raises what is wrong with it
        with self._lock:
            if self._closed:
                self._check_open()
            try:
                os.write(self._write_end, item + b"\n")
            except BlockingIOError:
                raise queue.Full from None

    take_nowait = queues.PipeQueue._take_into

    def put_back(self, message: Message) -> None:
        self._send(message[0])

    def reopened(self) -> Self:
        core = type(self)(self.path, create=False)
        if os.path.samestat(core._file, self._file):
            return core
        core.close()
        raise FileNotFoundError(f"the pipe {self.path} was removed, and there is another one")

    def abandon(self) -> None:
        self._closed = True
        self._close_descriptors()


class SimplePipeQueue(BlockingQueue[PipeMessages]):
    """A queue in a named pipe: fifo(7). ``with SimplePipeQueue(path) as pq:``, or ``pipequeue(path)``.

    Items are strings, bytes, numbers, tuples, lists, dicts, sets, booleans and None, up to PIPE_BUF (4,096)
    bytes as a Python literal. Each item is one line, the format that turberfield's queues read and write.

    ``with`` or ``pipequeue`` opens the pipe for reading and writing; ``close`` closes it. Items wait while at
    least one queue at this path is open, and are lost when the last one closes. Any number of processes and
    threads may put and get.

    Args:
        path: of the pipe, which is created if it does not exist.
        history: True uses an existing pipe with its items and keeps it after ``close``. False creates the
            pipe when it is opened and removes its name in ``close``.
        serializer: turns items into lines; LiteralSerializer() by default.
        mode: permissions of a pipe that is created; see the asyncio PipeQueue.
        portal: its event loop does the waiting; None uses the shared one.

    Attributes:
        path, history: as above.

    Ctrl-C ends each method at once. An item that ``get`` has taken by then goes to the next ``get`` here;
    that of a ``put`` may or may not have been put. A forked child opens the pipe anew at its first use.
    """

    def __init__(
        self, path: str | os.PathLike[str], history: bool = True, serializer: Serializer | None = None, *,
        mode: int = 0o600, portal: Portal | None = None,
    ) -> None:
        self.path = path
        self.history = history
        self._mode = mode
        self._serializer = serializer or LiteralSerializer()
        load = self._serializer.load
        super().__init__(_NOT_OPEN, lambda line: load(line[:-1]), portal)

    @property
    def _in(self) -> int:
        # Tests and subclasses of turberfield's queues use these two.
        return self._core._write_end

    @property
    def _out(self) -> int:
        return self._core._read_end

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {os.fspath(self.path)}>"

    @classmethod
    def pipequeue(cls, *args: Any, **kwargs: Any) -> Self:
        """Return a new, open queue. The caller closes it.

        Args:
            args, kwargs: for the class.

        Raises:
            FileExistsError: the path is not a pipe; or, without *history*, it exists.
            FeatureNotAvailable: this system has no named pipes.
            OSError: from mkfifo(3) or open(2).
        """
        return cls(*args, **kwargs).__enter__()

    def __enter__(self) -> Self:
        if self._core.closed:
            self._core = self._kept.core = PipeMessages(self.path, self.history, mode=self._mode)
        return self

    _put = refused(queues.PipeQueue.put, queues.PipeQueue.put_nowait, queue.Full)
    _take = refused(queues.PipeQueue.get, PipeMessages.take_nowait, queue.Empty)

    def _dump(self, msg: Any) -> bytes:
        try:
            return self._serializer.dump(msg)
        except Exception as exc:
            not_dumped(exc, self._serializer.dump, msg)

    def put_nowait(self, msg: Any) -> None:
        """Put an item without blocking.

        Raises:
            queue.Full: the pipe has no room now.
            MessageTooBig: the line is longer than PIPE_BUF.
            SerializerError: the item cannot be dumped as one line.
            Closed: the queue is not open.
        """
        try:
            data = self._serializer.dump(msg)
        except Exception as exc:
            not_dumped(exc, self._serializer.dump, msg)
        self._core.put_nowait(data)

    def put(self, msg: Any, *, timeout: float | None = None) -> None:
        """Put an item, waiting for room.

        Args:
            timeout: seconds to wait; None waits as long as it takes.

        Raises:
            queue.Full: there was no room in time.
            MessageTooBig, SerializerError, Closed: as ``put_nowait``.
        """
        data = self._dump(msg)
        try:
            self._core.put_nowait(data)
            return
        except queue.Full:
            pass  # as in posixmq.py
        self._put(timeout, self._to_put, data)

    def get(self, *, timeout: float | None = None) -> Any:
        """Take and return an item, waiting for one.

        Args:
            timeout: seconds to wait; None waits as long as it takes.

        Raises:
            queue.Empty: there was none in time.
            SerializerError: the item cannot be loaded. It has been removed from the queue.
            Closed: the queue is not open, or was closed while this waited.
        """
        return self._get(timeout)

    def get_nowait(self) -> Any:
        """Do the same as ``get(timeout=0)``."""
        return self._get(0)

    def qsize(self) -> int:
        """Return the number of items in the queue, which may have changed by then."""
        return self._core.qsize() + len(self._kept.messages)


class PipeQueue(SimplePipeQueue):
    """An asyncio class, although it is in ``blocking``: a queue in a named pipe.

    ``put`` and ``get`` are coroutines. They run on the caller's own event loop, without a portal, and belong
    to one loop at a time. The other methods are those of SimplePipeQueue; they neither block nor need a loop.
    """

    async def put(self, msg: Any, *, timeout: float | None = None) -> None:  # type: ignore[override]
        """Do the same as SimplePipeQueue.put. A cancelled call has put nothing."""
        await self._core.put(self._dump(msg), timeout=timeout)

    async def get(self, *, timeout: float | None = None) -> Any:
        """Do the same as SimplePipeQueue.get. A cancelled call has taken nothing."""
        if self._kept.messages:
            return self._get(0)
        data, _ = await self._core.get(timeout=timeout)
        return self._load(data)

    __iter__ = None  # type: ignore[assignment]  # it would block the event loop

    def __aiter__(self) -> Self:
        """Iterate over the items as ``get`` gives them, until the queue is closed here."""
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.get()
        except Closed:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.close()


class _NotOpen:
    """A placeholder for a pipe that is not open yet."""

    closed = True

    def __getattr__(self, name: str) -> Any:
        raise Closed("the pipe is not open: use `with`, or SimplePipeQueue.pipequeue(path)")


_NOT_OPEN: Any = _NotOpen()
