"""What the blocking queues of the kernel's media have in common."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from ...abc import Serializer
from ...exceptions import SerializerError
from ..portal.portal import Portal
from .base import BlockingQueue, fails
from .errors import TRANSLATED, QueueError, queue_error
from .raw import MessageQueue

__all__ = ["PickledQueue"]

QueueT = TypeVar("QueueT", bound=MessageQueue)


class PickledQueue(BlockingQueue[QueueT], Generic[QueueT]):
    """A blocking queue whose items are pickles, and whose exceptions are QueueErrors.

    Args:
        core: the async queue.
        serializer: how items become bytes; None: pickle.
        portal: whose loop waits; None: the one that all share.
    """

    _interruptible = True
    _gone: ClassVar[int] = QueueError.DOES_NOT_EXIST
    """The errno for a queue that is not there."""

    def __init__(self, core: QueueT, serializer: Serializer | None, portal: Portal | None) -> None:
        super().__init__(core, pickle.loads if serializer is None else serializer.load, portal)
        self._dumps: Callable[[Any, int], bytes]
        self._dumps = pickle.dumps if serializer is None else lambda item, _: serializer.dump(item)

    def qsize(self) -> int:
        """Return how many items are in the queue; it may be another number by now.

        So above 0 does not say that ``get`` will not wait, nor does below the maximum say it of ``put``.

        Raises:
            QueueError: INVALID_DESCRIPTOR: the queue is closed here.
        """
        try:
            return self._core.qsize() + len(self._kept.messages)
        except TRANSLATED as exc:
            raise self._error(exc) from exc

    def close(self) -> None:
        """Let go of the queue; whoever waits here, in other threads, ends. Items stay where they are.

        Raises:
            QueueError: INVALID_DESCRIPTOR: it is closed already.
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
            if not fails(self._dumps, item, pickle_protocol):
                raise
            raise SerializerError(f"the item cannot be dumped: {exc!r}") from exc

    def _error(self, exc: Exception) -> QueueError:
        return queue_error(exc, self._gone)
