"""System V message queues for programs without an event loop: Queue, QueueError."""

from __future__ import annotations

import queue
from typing import Any, ClassVar, Self

from ..abc import Serializer
from ..queues import SysVMQ
from .portal.portal import Portal
from .queues.errors import TRANSLATED, QueueError, translated
from .queues.pickled import PickledQueue
from .queues.raw import Message, MessageQueue
from .queues.retry import refused

__all__ = ["Queue", "QueueError"]

_AT_ONCE = (False,)


class _Messages(MessageQueue, SysVMQ):
    def _dumped(self, item: Any, message_type: int = 1) -> bytes:
        fits = 0 < message_type < 2**31 and len(item) <= self._largest
        return item if fits else super()._dumped(item, message_type)

    def take_nowait(self, box: list[Message], message_type: int = 0) -> None:
        self._check_open()
        if self._waiters.take_empty(message_type):
            box.append((b"", abs(message_type) or 1))
            return
        try:
            box.extend(map(self._mq.receive, _AT_ONCE, (message_type,)))
        except self._sysv_ipc.BusyError:
            raise queue.Empty from None
        except self._sysv_ipc.ExistentialError as exc:
            raise self._gone() from exc

    def put_back(self, message: Message) -> None:
        self._send(*message)

    def reopened(self) -> Self:
        core = type(self)(self.key, create=False)
        if core._mq.id == self._mq.id:
            return core
        core.close()
        raise FileNotFoundError(f"the queue {self.key} was removed, and another one has its key")

    def abandon(self) -> None:
        self._closed = True  # a System V queue has no descriptor

    @property
    def max_bytes(self) -> int:
        """The queue's capacity in bytes of items."""
        return self._field("max_size")


class _KeyOverflow(QueueError, OverflowError):
    """A key out of range, which ipcqueue reports as an OverflowError."""


class Queue(PickledQueue[_Messages]):
    """A blocking System V message queue: sysvipc(7). Items have a type, by which readers choose.

    Args:
        key: the queue's number, 1 to 2**31 - 1; processes that use the same key share a queue. None or 0
            makes a private queue with a free key: see the attribute *key*.
        max_bytes: bytes of items it holds; None takes the system's default, or what an existing queue has.
        serializer: turns items into bytes; pickle by default. A process that may write to a queue of pickles
            can run code in its readers: see *mode*.
        mode, create, exclusive: as for the async SysVMQ.
        portal: its event loop does the waiting; None uses the shared one.

    Raises:
        QueueError: INVALID_VALUE: the key is out of range (an OverflowError as well), or the size is not
            positive; NO_PERMISSIONS: the queue is another user's, or *max_bytes* is above this user's limit;
            NO_SYSTEM_RESOURCES; DOES_NOT_EXIST: *create* is False.
        FileExistsError: the queue exists, and *exclusive* is True.
        FeatureNotAvailable: sysv_ipc is not installed.

    Other processes may use ipcqueue for the same queue. Any thread may call any method at any time. A forked
    child opens the queue anew, by its key, at its first use.

    A call that waits in the main thread ends with INTERRUPTED after a signal whose handler returns: nothing
    is put or taken. Ctrl-C ends any call at once. An item that ``get`` has taken by then goes to the next
    ``get`` here; that of a ``put`` may or may not have been put.
    """

    _gone: ClassVar[int] = QueueError.INVALID_DESCRIPTOR

    def __init__(
        self, key: int | None = None, max_bytes: int | None = None, serializer: Serializer | None = None, *,
        mode: int = 0o600, create: bool = True, exclusive: bool = False, portal: Portal | None = None,
    ) -> None:
        if isinstance(key, int) and not 0 <= key < 2**31:
            text = f"a key is a number from 1 to 2**31 - 1, or None, not {key!r}"
            raise _KeyOverflow(QueueError.INVALID_VALUE, text)
        with translated():
            core = _Messages(key, max_bytes, mode=mode, create=create, exclusive=exclusive)
        super().__init__(core, serializer, portal)
        self.key = core.key

    def __repr__(self) -> str:
        return f"<blocking System V queue {self.key}>"

    _put = refused(SysVMQ.put, SysVMQ.put_nowait, queue.Full)
    _take = refused(SysVMQ.get, _Messages.take_nowait, queue.Empty)

    def put(
        self, item: Any, block: bool = True, msg_type: int = 1, pickle_protocol: int = 1, *,
        timeout: float | None = None,
    ) -> None:
        """Put an item.

        Args:
            block: whether to wait for room.
            msg_type: 1 to 2**31 - 1; readers may select items by it.
            pickle_protocol: of the pickle; other serializers ignore it.
            timeout: seconds to wait; None waits as long as it takes. Ignored without *block*.

        Raises:
            queue.Full: there was no room in time; or at once, without *block*.
            QueueError: TOO_BIG_MESSAGE: the item is larger than max_bytes or the system's limit;
                INVALID_VALUE: the type is out of range; INVALID_DESCRIPTOR: closed here, or removed;
                INTERRUPTED: see the class.
            SerializerError: the item cannot be dumped; the cause is the serializer's exception.
        """
        try:
            data = self._dump(item, pickle_protocol)
            try:
                return self._core.put_nowait(data, message_type=msg_type)
            except queue.Full:
                pass  # Ctrl-C during the wait must not be shown as an error of this one's handling
            self._put(timeout if block else 0, self._to_put, data, message_type=msg_type)
        except TRANSLATED as exc:
            raise self._error(exc) from exc

    def put_nowait(self, item: Any, msg_type: int = 1, pickle_protocol: int = 1) -> None:
        """Do the same as ``put(item, block=False)``."""
        self.put(item, False, msg_type, pickle_protocol)

    def get(self, block: bool = True, msg_type: int = 0, *, timeout: float | None = None) -> Any:
        """Take and return an item.

        Args:
            block: whether to wait for one.
            msg_type: 0 takes the first item, a positive number the first of that type, a negative one the
                first of the lowest type up to its absolute value: msgrcv(2).
            timeout: seconds to wait; None waits as long as it takes. Ignored without *block*.

        Raises:
            queue.Empty: there was none in time; or at once, without *block*.
            QueueError: INVALID_DESCRIPTOR: closed here, or removed; INTERRUPTED: see the class.
            SerializerError: the item cannot be loaded. It has been removed from the queue.
        """
        try:
            return self._get(timeout if block else 0, message_type=msg_type)
        except TRANSLATED as exc:
            raise self._error(exc) from exc

    def get_nowait(self, msg_type: int = 0) -> Any:
        """Do the same as ``get(block=False)``."""
        return self.get(False, msg_type)

    def qattr(self) -> dict[str, int]:
        """Return ``{"size": 3, "max_bytes": 8192}``: items, and capacity in bytes."""
        with translated(self._gone):
            return {"size": self.qsize(), "max_bytes": self._core.max_bytes}

    def close(self, *, remove: bool = True) -> None:
        """Remove the queue with its items from the system, and close it.

        Calls that wait for it, in any process, end with INVALID_DESCRIPTOR.

        Args:
            remove: False closes it here only; the queue stays in the system with its items.

        Raises:
            QueueError: NO_PERMISSIONS: the queue is another user's, and now closed here;
                INVALID_DESCRIPTOR: it was closed before.
        """
        try:
            if remove and not self.closed:
                self.unlink()
        except QueueError as exc:
            if exc.errno != self._gone:
                raise
        finally:
            super().close()

    def unlink(self) -> None:
        """Remove the queue with its items: msgctl(2), IPC_RMID. Calls that wait for it end at once.

        Raises:
            QueueError: INVALID_DESCRIPTOR: it was removed before; NO_PERMISSIONS.
        """
        with translated(self._gone):
            self._core.unlink()
