"""Named pipes as queues: SimplePipeQueue for code that blocks, and PipeQueue for asyncio."""

from __future__ import annotations

import os
import queue
import sys
from typing import Any, Self

from .. import queues
from ..abc import Serializer
from ..exceptions import Closed, SerializerError
from ..serializers import LiteralSerializer
from .portal.portal import Portal
from .queues.base import BlockingQueue, fails
from .queues.raw import Message, MessageQueue
from .queues.retry import refused

__all__ = ["PipeQueue", "SimplePipeQueue"]

if sys.platform != "win32":
    from select import PIPE_BUF

__all__ = ["PipeMessages"]


class PipeMessages(MessageQueue, queues.PipeQueue):
    """A PipeQueue whose items are lines, with their ends.

    Args:
        path, history, mode, create: as for PipeQueue.
    """

    def put_nowait(self, item: bytes, /) -> None:
        if len(item) >= PIPE_BUF or b"\n" in item:
            self._line(item)  # it tells what is wrong
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

    For strings, bytes, numbers, tuples, lists, dicts, sets, booleans and None, of up to PIPE_BUF (4,096)
    bytes in Python's notation. An item is a line, which turberfield's queues, too, write and read.

    A pipe is opened by ``with`` or ``pipequeue``, for reading and for writing, and is open until ``close``.
    Items wait as long as anybody has it open: for a reader that comes after the writer closed they are
    gone, unless another queue at this path is open. As many processes and threads as like may put and get.

    Args:
        path: of the pipe, which is created if there is none.
        history: True: a pipe that exists is used, with what is in it, and stays after ``close``. False: it is
            created at the opening, and its name removed at ``close``.
        serializer: how items become lines; None: LiteralSerializer().
        mode: who may open a pipe that is created; see the async PipeQueue.
        portal: whose loop waits; None: the one that all share.

    Attributes:
        path, history: as above.

    Ctrl-C ends each method at once; an item that get has taken by then goes to the next get here. In a
    process that was forked off, the pipe is opened anew at its first use.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        history: bool = True,
        serializer: Serializer | None = None,
        *,
        mode: int = 0o600,
        portal: Portal | None = None,
    ) -> None:
        self.path = path
        self.history = history
        self._mode = mode
        self._serializer = serializer or LiteralSerializer()
        load = self._serializer.load
        super().__init__(_NOT_OPEN, lambda line: load(line[:-1]), portal)

    @property
    def _in(self) -> int:
        # Tests and subclasses of turberfield's queues look for these two.
        return self._core._write_end

    @property
    def _out(self) -> int:
        return self._core._read_end

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {os.fspath(self.path)}>"

    @classmethod
    def pipequeue(cls, *args: Any, **kwargs: Any) -> Self:
        """Return a new queue which is open. Call ``close`` in the end.

        Args:
            args, kwargs: for the class.

        Raises:
            FileExistsError: something has the path that is no pipe; or anything, without *history*.
            FeatureNotAvailable: this system has no named pipes.
            OSError: as mkfifo(3) and open(2).
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
            if not fails(self._serializer.dump, msg):
                raise
            raise SerializerError(f"the item cannot be dumped: {exc!r}") from exc

    def put_nowait(self, msg: Any) -> None:
        """Put an item into the queue without blocking.

        Raises:
            queue.Full: there is no room in the pipe now.
            MessageTooBig: it is longer than a pipe takes in one piece, however empty.
            SerializerError: it cannot be dumped as one line.
            Closed: the queue is not open.
        """
        try:
            data = self._serializer.dump(msg)
        except Exception:
            data = self._dump(msg)  # it tells whether it was the serializer
        self._core.put_nowait(data)

    def put(self, msg: Any, *, timeout: float | None = None) -> None:
        """Put an item into the queue, when there is room.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Full: there was no room in time.
            MessageTooBig, SerializerError, Closed: as ``put_nowait``.

        If Ctrl-C ends it, the item may have been put or not.
        """
        data = self._dump(msg)
        try:
            self._core.put_nowait(data)
        except queue.Full:
            self._put(timeout, self._to_put, data)

    def get(self, *, timeout: float | None = None) -> Any:
        """Take an item out of the queue, and return it; block until there is one.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Empty: there was none in time.
            SerializerError: what was there cannot be loaded. It is out of the queue now.
            Closed: the queue is not open.

        If Ctrl-C ends it, no item is lost.
        """
        return self._get(timeout)

    def get_nowait(self) -> Any:
        """The same as ``get(timeout=0)``."""
        return self._get(0)

    def qsize(self) -> int:
        """Return how many items are in the queue; it may be another number by now."""
        return self._core.qsize() + len(self._kept.messages)


class PipeQueue(SimplePipeQueue):
    """A queue in a named pipe for asyncio: ``put`` and ``get`` are to be awaited. The rest is its base's.

    They run on the caller's own event loop, without a portal, and belong to one loop at a time. The other
    methods neither block nor need a loop.
    """

    async def put(self, msg: Any, *, timeout: float | None = None) -> None:  # type: ignore[override]
        """Put an item into the queue, when there is room. If it is cancelled, the item was not put.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Full: there was no room in time.
            MessageTooBig, SerializerError, Closed: as ``put_nowait``.
        """
        await self._core.put(self._dump(msg), timeout=timeout)

    async def get(self, *, timeout: float | None = None) -> Any:
        """Take an item out of the queue, when there is one. If it is cancelled, no item was taken.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Empty: there was none in time.
            SerializerError: what was there cannot be loaded. It is out of the queue now.
            Closed: the queue is not open, or was closed meanwhile.
        """
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
    """Stands for the pipe before it is opened."""

    closed = True

    def __getattr__(self, name: str) -> Any:
        raise Closed("the pipe is not open: use `with`, or SimplePipeQueue.pipequeue(path)")


_NOT_OPEN: Any = _NotOpen()
