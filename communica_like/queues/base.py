"""WaitingQueue: the part that all queues share. FdWatcher: readiness of a descriptor, for those who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from ..abc import AsyncQueue, Serializer
from ..aio.waiters import Waiters
from ..exceptions import Closed, SerializerError


class FdWatcher:
    """A registration of a descriptor with the event loop, which is kept a little longer than it is needed.

    It is removed when the descriptor is ready while no caller waits. Most callers that were served come back,
    and two calls of the loop for each would cost more than the waiting.

    Args:
        fd, event: the descriptor, which the loop can poll, and what to wait for.
        ready: called when the descriptor is ready; returns whether to keep watching.
    """

    def __init__(self, fd: int, event: Literal["read", "write"], ready: Callable[[], bool]) -> None:
        self._fd = fd
        self._event = event
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self) -> None:
        """Start to watch, with the running event loop. Does nothing if it watches already."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            (loop.add_reader if self._event == "read" else loop.add_writer)(self._fd, self._on_ready)

    def ignore(self) -> None:
        """Stop watching. Must be called before the descriptor is closed."""
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            (loop.remove_reader if self._event == "read" else loop.remove_writer)(self._fd)

    def _on_ready(self) -> None:
        if not self._ready():
            self.ignore()


class WaitingQueue(AsyncQueue):
    """Base of queues whose subclass has attempts that do not wait: ``_send`` and ``_receive``.

    Args:
        serializer: turns items into bytes.
        getters, putters: where callers wait. The subclass notifies them when an attempt may succeed.
    """

    def __init__(self, serializer: Serializer, getters: Waiters, putters: Waiters) -> None:
        self._serializer = serializer
        self._getters = getters
        self._putters = putters
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._getters.close()
            self._putters.close()

    def put_nowait(self, item: Any, /) -> None:
        self._send(self._dumped(item))

    def get_nowait(self) -> Any:
        return self._load(self._receive())

    async def put(self, item: Any, /, *, timeout: float | None = None) -> None:
        data = self._dumped(item)
        await self._putters.wait(lambda: self._send(data), timeout)

    async def get(self, *, timeout: float | None = None) -> Any:
        return self._load(await self._getters.wait(self._receive, timeout))

    # -- for subclasses

    def _send(self, data: bytes, /) -> None:
        """Put what ``_dumped`` has returned into the medium. Raise queue.Full, or Closed."""
        raise NotImplementedError

    def _receive(self) -> bytes:
        """Take what ``_load`` accepts out of the medium. Raise queue.Empty, or Closed."""
        raise NotImplementedError

    def _dumped(self, item: Any) -> bytes:
        """Return *item* as the medium takes it. Raise what ``_dump`` does, or MessageTooBig."""
        return self._dump(item)

    def _dump(self, item: Any) -> bytes:
        """Return *item* as bytes. Raise Closed, or SerializerError."""
        self._check_open()
        try:
            return self._serializer.dump(item)
        except Exception as exc:
            raise SerializerError(f"the item cannot be dumped: {exc!r}") from exc

    def _load(self, data: bytes) -> Any:
        """Return the item in *data*. Raise SerializerError."""
        try:
            return self._serializer.load(data)
        except Exception as exc:
            raise SerializerError(f"{len(data)} bytes in the queue cannot be loaded: {exc!r}") from exc

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the queue is closed")
