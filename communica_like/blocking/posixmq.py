"""POSIX message queues for programs without an event loop: Queue, unlink, QueueError."""

from __future__ import annotations

import os
import queue
from typing import Any, Self

from ..abc import Serializer
from ..queues import PosixMQ
from .portal.portal import Portal
from .queues.errors import TRANSLATED, QueueError, translated
from .queues.pickled import PickledQueue
from .queues.raw import Message, MessageQueue
from .queues.retry import refused

__all__ = ["Queue", "QueueError", "unlink"]

_AT_ONCE = (0,)


class _Messages(MessageQueue, PosixMQ):
    def __init__(self, name: str, *arguments: Any, **options: Any) -> None:
        super().__init__(name, *arguments, **options)
        self._file = os.fstat(self.fileno())

    def _dumped(self, item: Any) -> bytes:
        return item if len(item) <= self._max_item_size else super()._dumped(item)

    def take_nowait(self, box: list[Message]) -> None:
        self._check_open()
        try:
            box.extend(map(self._mq.receive, _AT_ONCE))
        except self._posix_ipc.BusyError:
            raise queue.Empty from None
        except self._posix_ipc.ExistentialError:
            self._check_open()  # another thread has just closed it
            raise

    def put_back(self, message: Message) -> None:
        self._send(*message)

    def reopened(self) -> Self:
        core = type(self)(self.name, create=False)
        if os.path.samestat(core._file, self._file):
            return core
        core.close()
        raise FileNotFoundError(f"the queue {self.name} was removed, and another one has its name")

    def abandon(self) -> None:
        self._closed = True
        self._mq.close()


class Queue(PickledQueue[_Messages]):
    """A blocking POSIX message queue: mq_overview(7). Items of higher priority come first, then the oldest.

    Args:
        name: ``"/"`` and 1 to 254 bytes without another ``"/"``; processes that use the same name share a
            queue.
        maxsize: number of items it holds; an existing queue keeps its own number.
        maxmsgsize: bytes of the largest dumped item; an existing queue keeps its own.
        serializer: turns items into bytes; pickle by default. A process that may write to a queue of pickles
            can run code in its readers: see *mode*.
        mode, create, exclusive: as for the async PosixMQ.
        portal: its event loop does the waiting; None uses the shared one.

    Raises:
        QueueError: INVALID_VALUE: the name is malformed, or a size is not positive or above the system's
            limit; NO_PERMISSIONS; NO_SYSTEM_RESOURCES; DOES_NOT_EXIST: *create* is False.
        FileExistsError: the queue exists, and *exclusive* is True.
        FeatureNotAvailable: posix_ipc is not installed.

    Other processes may use ipcqueue for the same queue. Any thread may call any method at any time. A forked
    child opens the queue anew, by its name, at its first use.

    A call that waits in the main thread ends with INTERRUPTED after a signal whose handler returns: nothing
    is put or taken. Ctrl-C ends any call at once. An item that ``get`` has taken by then goes to the next
    ``get`` here; that of a ``put`` may or may not have been put.
    """

    def __init__(
        self, name: str, maxsize: int = 10, maxmsgsize: int = 1024, serializer: Serializer | None = None, *,
        mode: int = 0o600, create: bool = True, exclusive: bool = False, portal: Portal | None = None,
    ) -> None:
        with translated():
            core = _Messages(name, maxsize, maxmsgsize, mode=mode, create=create, exclusive=exclusive)
        super().__init__(core, serializer, portal)
        self.name = name

    def __repr__(self) -> str:
        return f"<blocking POSIX queue {self.name}>"

    _put = refused(PosixMQ.put, PosixMQ.put_nowait, queue.Full)
    _take = refused(PosixMQ.get, _Messages.take_nowait, queue.Empty)

    def put(
        self, item: Any, block: bool = True, timeout: float | None = None, priority: int = 0,
        pickle_protocol: int = 1,
    ) -> None:
        """Put an item.

        Args:
            block: whether to wait for room.
            timeout: seconds to wait; None waits as long as it takes. Ignored without *block*.
            priority: 0 to 32767; the highest comes out first.
            pickle_protocol: of the pickle; other serializers ignore it.

        Raises:
            queue.Full: there was no room in time; or at once, without *block*.
            QueueError: TOO_BIG_MESSAGE: the item is larger than maxmsgsize; INVALID_VALUE: the priority is
                out of range; INVALID_DESCRIPTOR: the queue is closed here; INTERRUPTED: see the class.
            SerializerError: the item cannot be dumped; the cause is the serializer's exception.
        """
        try:
            data = self._dump(item, pickle_protocol)
            try:
                return self._core.put_nowait(data, priority=priority)
            except queue.Full:
                pass  # Ctrl-C during the wait must not be shown as an error of this one's handling
            self._put(timeout if block else 0, self._to_put, data, priority=priority)
        except TRANSLATED as exc:
            raise self._error(exc) from exc

    def put_nowait(self, item: Any, priority: int = 0, pickle_protocol: int = 1) -> None:
        """Do the same as ``put(item, block=False)``."""
        self.put(item, False, None, priority, pickle_protocol)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take and return an item.

        Args:
            block: whether to wait for one.
            timeout: seconds to wait; None waits as long as it takes. Ignored without *block*.

        Raises:
            queue.Empty: there was none in time; or at once, without *block*.
            QueueError: INVALID_DESCRIPTOR: the queue is closed here; INTERRUPTED: see the class.
            SerializerError: the item cannot be loaded. It has been removed from the queue.
        """
        try:
            return self._get(timeout if block else 0)
        except TRANSLATED as exc:
            raise self._error(exc) from exc

    def get_nowait(self) -> Any:
        """Do the same as ``get(block=False)``."""
        return self.get(False)

    def qattr(self) -> dict[str, int]:
        """Return ``{"size": 5, "max_size": 10, "max_msgbytes": 1024}``: items, capacity, largest item."""
        its = self._core.guarantees
        return {"size": self.qsize(), "max_size": its.capacity or 0, "max_msgbytes": its.largest_item or 0}

    def unlink(self) -> None:
        """Remove the queue's name; the queue itself goes when the last process closes it: mq_unlink(3).

        Raises:
            QueueError: DOES_NOT_EXIST: the name was removed before; NO_PERMISSIONS.
        """
        with translated(self._gone):
            self._core.unlink()


def unlink(name: str) -> None:
    """Remove a queue's name. See Queue.unlink.

    Raises:
        QueueError: DOES_NOT_EXIST; INVALID_VALUE: the name is malformed; NO_PERMISSIONS.
    """
    with Queue(name, create=False) as found:
        found.unlink()
