"""System V message queues for programs without an event loop: Queue, QueueError."""

from __future__ import annotations

import queue
from typing import Any, ClassVar, Self

from ..abc import Serializer
from ..queues import SysVMQ
from .portal.portal import Portal
from .queues.errors import TRANSLATED, QueueError, queue_error
from .queues.pickled import PickledQueue
from .queues.raw import Message, MessageQueue
from .queues.retry import refused

__all__ = ["Queue", "QueueError"]

_AT_ONCE = (False,)


class _Messages(MessageQueue, SysVMQ):
    def _dumped(self, item: Any, message_type: int) -> bytes:
        fits = 0 < message_type < 2**31 and len(item) <= self._largest
        return item if fits else super()._dumped(item, message_type)

    def _receive(self, message_type: int = 0) -> Any:
        box: list[Message] = []
        self.take_nowait(box, message_type)
        return box[0]

    def take_nowait(self, box: list[Message], message_type: int = 0) -> None:
        self._check_open()
        if self._arrivals.take_empty(message_type):
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
        raise FileNotFoundError(f"the queue {self.key} was removed, and there is another one")

    def abandon(self) -> None:
        self._closed = True  # there is no descriptor

    @property
    def max_bytes(self) -> int:
        """How many bytes of items it holds."""
        return self._max_bytes()


class _KeyOverflow(QueueError, OverflowError):
    """That is no key. To ipcqueue's users it is an OverflowError."""


class Queue(PickledQueue[_Messages]):
    """A blocking System V message queue: sysvipc(7). Items have a type, by which readers choose.

    Args:
        key: the queue's number, 1 to 2**31 - 1: the same for all who share it. None or 0: a private queue,
            with a free key, see the attribute *key*.
        max_bytes: how many bytes of items it holds; None: as many as the system gives each, or as the queue
            has, if it exists already.
        serializer: how items become bytes; None: pickle. Whoever may write to a queue of pickles may run code
            in its readers: see *mode*.
        mode, create, exclusive: as for the async SysVMQ.
        portal: whose loop waits; None: the one that all share.

    Raises:
        QueueError: INVALID_VALUE: that is no key, which is an OverflowError as well, or no size;
            NO_PERMISSIONS: it is another user's, or *max_bytes* is more than this user may have;
            NO_SYSTEM_RESOURCES; DOES_NOT_EXIST: *create* is False.
        FileExistsError: there is such a queue, and *exclusive* is True.
        FeatureNotAvailable: sysv_ipc is not installed.

    Other processes may use ipcqueue for the same queue. Any number of threads may call all methods, at any
    time. Ctrl-C ends each of them at once; an item that get has taken by then goes to the next get here. In a
    process that was forked off, the queue is opened anew, by its key, at its first use.
    """

    _gone: ClassVar[int] = QueueError.INVALID_DESCRIPTOR

    def __init__(
        self,
        key: int | None = None,
        max_bytes: int | None = None,
        serializer: Serializer | None = None,
        *,
        mode: int = 0o600,
        create: bool = True,
        exclusive: bool = False,
        portal: Portal | None = None,
    ) -> None:
        if key is not None and not 0 <= key < 2**31:
            text = f"a key is a number from 1 to 2**31 - 1, or None, not {key!r}"
            raise _KeyOverflow(QueueError.INVALID_VALUE, text)
        try:
            core = _Messages(key, max_bytes, mode=mode, create=create, exclusive=exclusive)
        except FileExistsError:
            raise
        except TRANSLATED as exc:
            raise queue_error(exc) from exc
        super().__init__(core, serializer, portal)
        self.key = core.key

    def __repr__(self) -> str:
        return f"<blocking System V queue {self.key}>"

    _put = refused(SysVMQ.put, SysVMQ.put_nowait, queue.Full)
    _take = refused(SysVMQ.get, _Messages.take_nowait, queue.Empty)

    def put(
        self,
        item: Any,
        block: bool = True,
        msg_type: int = 1,
        pickle_protocol: int = 1,
        *,
        timeout: float | None = None,
    ) -> None:
        """Put an item into the queue.

        Args:
            block: whether to wait for room.
            msg_type: 1 to 2**31 - 1, by which readers may choose.
            pickle_protocol: of the pickle that the item becomes; another serializer knows nothing of it.
            timeout: seconds to wait; None: as long as it takes. Without *block* it is ignored.

        Raises:
            queue.Full: there was no room in time; or at once, without *block*.
            QueueError: TOO_BIG_MESSAGE: it is larger than max_bytes, or than the system allows;
                INVALID_VALUE: the type; INVALID_DESCRIPTOR: the queue is closed here, or was removed;
                INTERRUPTED: see below.
            SerializerError: it cannot be dumped; the cause is pickle's own exception.

        A signal whose handler returns ends it with INTERRUPTED in the main thread, if it waits, and
        nothing is put.
        If Ctrl-C ends it, or another exception of a handler, the item may have been put or not.
        """
        try:
            data = self._dump(item, pickle_protocol)
            try:
                self._core.put_nowait(data, message_type=msg_type)
            except queue.Full:
                self._put(timeout if block else 0, self._to_put, data, message_type=msg_type)
        except TRANSLATED as exc:
            raise self._error(exc) from exc

    def put_nowait(self, item: Any, msg_type: int = 1, pickle_protocol: int = 1) -> None:
        """The same as ``put(item, block=False)``."""
        self.put(item, False, msg_type, pickle_protocol)

    def get(self, block: bool = True, msg_type: int = 0, *, timeout: float | None = None) -> Any:
        """Take an item out of the queue, and return it.

        Args:
            block: whether to wait for one.
            msg_type: 0: the first item; above 0: the first of that type; below 0: the first of the lowest
                type that is not above the absolute value. See msgrcv(2).
            timeout: seconds to wait; None: as long as it takes. Without *block* it is ignored.

        Raises:
            queue.Empty: there was none in time; or at once, without *block*.
            QueueError: INVALID_DESCRIPTOR: the queue is closed here, or was removed; INTERRUPTED: see below.
            SerializerError: what was there cannot be loaded. It is out of the queue now.

        A signal whose handler returns ends it with INTERRUPTED in the main thread, if it waits. If that or
        Ctrl-C ends it, no item is lost.
        """
        try:
            return self._get(timeout if block else 0, message_type=msg_type)
        except TRANSLATED as exc:
            raise self._error(exc) from exc

    def get_nowait(self, msg_type: int = 0) -> Any:
        """The same as ``get(block=False)``."""
        return self.get(False, msg_type)

    def qattr(self) -> dict[str, int]:
        """Return ``{"size": 3, "max_bytes": 8192}``: items, and bytes of all of them together."""
        try:
            return {"size": self.qsize(), "max_bytes": self._core.max_bytes}
        except TRANSLATED as exc:
            raise self._error(exc) from exc

    def close(self, *, remove: bool = True) -> None:
        """Remove the queue from the system, with all that is in it, and let go of it.

        Whoever waits for it, in any process, ends with INVALID_DESCRIPTOR.

        Args:
            remove: False: let go of the queue only; it stays in the system, with all items.

        Raises:
            QueueError: NO_PERMISSIONS: it is another user's, and closed here; INVALID_DESCRIPTOR: it was
                closed already.
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
        """Remove the queue with all that is in it. Whoever waits for it, in any process, ends at once.

        Raises:
            QueueError: INVALID_DESCRIPTOR: it was removed already; NO_PERMISSIONS.
        """
        try:
            self._core.unlink()
        except TRANSLATED as exc:
            raise self._error(exc) from exc
