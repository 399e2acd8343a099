"""What all queues share."""

from __future__ import annotations

from typing import Any

from ..abc import AsyncQueue, Serializer
from ..aio.waiters import Line
from ..exceptions import Closed, SerializerError

__all__ = ["WaitingQueue"]


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
