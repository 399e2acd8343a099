"""PickledQueue: the base of the blocking POSIX and System V queues."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from ...abc import Serializer
from ..portal.portal import Portal
from .base import BlockingQueue, not_dumped
from .errors import TRANSLATED, QueueError, queue_error, translated
from .raw import MessageQueue

QueueT = TypeVar("QueueT", bound=MessageQueue)


class PickledQueue(BlockingQueue[QueueT], Generic[QueueT]):
    """A blocking queue that pickles its items by default and raises QueueError.

    Args:
        core: the async queue.
        serializer: turns items into bytes; pickle by default.
        portal: its event loop does the waiting; None uses the shared one.
    """

    _interruptible = True
    _gone: ClassVar[int] = QueueError.DOES_NOT_EXIST
    """The errno for a queue that does not exist."""

    def __init__(self, core: QueueT, serializer: Serializer | None, portal: Portal | None) -> None:
        super().__init__(core, pickle.loads if serializer is None else serializer.load, portal)
        self._dumps: Callable[[Any, int], bytes]
        self._dumps = pickle.dumps if serializer is None else lambda item, _: serializer.dump(item)

    def qsize(self) -> int:
        """Return the number of items in the queue, which may have changed by then.

        So a number above 0 does not mean that ``get`` will not block, nor one below the capacity that ``put``
        will not.

        Raises:
            QueueError: INVALID_DESCRIPTOR: the queue is closed here.
        """
        with translated(self._gone):
            return self._core.qsize() + len(self._kept.messages)

    def close(self) -> None:
        """Close the queue here; calls that wait in other threads end. Items stay in the queue.

        Raises:
            QueueError: INVALID_DESCRIPTOR: it was closed before.
        """
        if self.closed:
            raise QueueError(QueueError.INVALID_DESCRIPTOR, "the queue is closed")
        super().close()

    def __exit__(self, *_: object) -> None:
        if not self.closed:
            self.close()

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except TRANSLATED as exc:
            raise self._error(exc) from exc

    def _dump(self, item: Any, pickle_protocol: int) -> bytes:
        try:
            return self._dumps(item, pickle_protocol)
        except Exception as exc:
            not_dumped(exc, self._dumps, item, pickle_protocol)

    def _error(self, exc: Exception) -> QueueError:
        return queue_error(exc, self._gone)
