"""What all queues share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from ..abc import AsyncQueue, Serializer
from ..aio.waiters import Line
from ..exceptions import Closed, SerializerError

__all__ = ["FdWatcher", "WaitingQueue"]


class FdWatcher:
    """Has the event loop watch a descriptor while anybody waits, and a little longer.

    It is watched until it was ready and nobody waited: most who were served come back, and to begin and end
    watching for each would cost more than the waiting.

    Args:
        fd: the descriptor, which the loop can poll.
        event: for what.
        ready: called when it is; returns whether anybody waits for more.
    """

    def __init__(self, fd: int, event: Literal["read", "write"], ready: Callable[[], bool]) -> None:
        self._fd = fd
        self._event = event
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self) -> None:
        """Call *ready* whenever it is, from the running event loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            (loop.add_reader if self._event == "read" else loop.add_writer)(self._fd, self._on_ready)

    def ignore(self) -> None:
        """Stop watching, now. To be called before the descriptor is closed."""
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            (loop.remove_reader if self._event == "read" else loop.remove_writer)(self._fd)

    def _on_ready(self) -> None:
        if not self._ready():
            self.ignore()


class WaitingQueue(AsyncQueue):
    """An AsyncQueue on top of attempts that do not wait.

    A subclass puts bytes into its medium and takes them out.

    Args:
        serializer: how items become bytes.
        getters, putters: where callers wait; the subclass sees to it that they are called up.
    """

    def __init__(self, serializer: Serializer, getters: Line, putters: Line) -> None:
        self._serializer = serializer
        self._getters = getters
        self._putters = putters
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called here."""
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._getters.close()
            self._putters.close()

    async def __anext__(self) -> Any:
        try:
            return await self.get()
        except Closed:
            raise StopAsyncIteration from None

    # -- for subclasses

    def _dump(self, item: Any) -> bytes:
        """Return *item* as bytes, or raise SerializerError; Closed, if the queue is."""
        self._check_open()
        try:
            return self._serializer.dump(item)
        except Exception as exc:
            raise SerializerError(f"the item cannot be dumped: {exc!r}") from exc

    def _load(self, data: bytes) -> Any:
        """Return the item that *data* holds, or raise SerializerError."""
        try:
            return self._serializer.load(data)
        except Exception as exc:
            raise SerializerError(f"{len(data)} bytes in the queue cannot be loaded: {exc!r}") from exc

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the queue is closed")
