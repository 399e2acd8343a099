"""PosixMQ: POSIX message queues."""

from __future__ import annotations

import os
import queue
import re
import sys
import time
from typing import Any, Final

from ..abc import Guarantees, Serializer
from ..aio.waiters import Waiters
from ..arguments import check_kind
from ..exceptions import MessageTooBig, QueueLimitReached
from ..features import optional_package
from ..serializers import PickleSerializer
from ..system.sysctl import sysctl
from .base import FdWatcher, WaitingQueue

if sys.platform == "linux":
    from resource import RLIMIT_MSGQUEUE, RLIMIT_NOFILE, getrlimit

# A connector that probes the user's limit exhausts it for a fraction of a millisecond.
_OPEN_ATTEMPTS: Final = 4
_RETRY_INTERVAL: Final = 0.001  # seconds


class PosixMQ(WaitingQueue):
    """A POSIX message queue: mq_overview(7). Items of higher priority come first, then the oldest.

    Any number of processes may open it by its name, to put and to get. The queue and its items stay in the
    kernel until ``unlink`` or the system's shutdown. After ``unlink`` it keeps working for the processes that
    have it open, and ends with the last of them, however that one ends.

    Args:
        name: ``"/"`` and 1 to 254 bytes without another ``"/"`` or a NUL.
        max_items: how many items it holds. An existing queue keeps its own number.
        max_item_size: bytes of the largest dumped item. An existing queue keeps its own number.
        serializer: by default PickleSerializer(1), the format of ipcqueue. With it, every process that may
            write to the queue can run code in its readers: see *mode*.
        mode: permissions of a queue that is created here; by default this user's alone. See mq_open(3).
        create: whether to create the queue if it is missing.
        exclusive: whether the queue must be created here.

    Raises:
        FeatureNotAvailable: posix_ipc is not installed.
        FileNotFoundError: there is no such queue, and *create* is False.
        FileExistsError: there is one already, and *exclusive* is True.
        PermissionError: it belongs to another user.
        QueueLimitReached: a limit of the kernel; the message has its name and value, and how to raise it.
        ValueError: the name is malformed, or a size is less than 1.
    """

    def __init__(
        self,
        name: str,
        max_items: int = 10,
        max_item_size: int = 8192,
        serializer: Serializer | None = None,
        *,
        mode: int = 0o600,
        create: bool = True,
        exclusive: bool = False,
    ) -> None:
        self._posix_ipc = optional_package("posix_ipc", "posixmq")
        check_kind(name, str, "a queue's name is a str", "PosixMQ('/name')")
        # posix_ipc 1.3.2 crashes on a NUL.
        if not re.fullmatch(r"/[^/\0]+", name) or len(os.fsencode(name)) > 255:
            text = 'a queue\'s name must be "/" and 1 to 254 bytes without another "/" or a NUL'
            raise ValueError(f"{text}, not {name!r}")
        if max_items < 1 or max_item_size < 1:
            raise ValueError(f"sizes must be at least 1, not {max_items} items of {max_item_size} bytes")
        self.name = name
        ipc = self._posix_ipc
        flags = ipc.O_CREX if exclusive else ipc.O_CREAT if create else 0
        for left in reversed(range(1 if exclusive else _OPEN_ATTEMPTS)):
            try:
                self._mq = ipc.MessageQueue(name, flags, mode, max_items, max_item_size)
                break
            except ipc.ExistentialError as exc:
                if exclusive:
                    raise FileExistsError(f"the queue {name} exists already") from exc
                raise FileNotFoundError(f"there is no queue {name}") from exc
            except ipc.PermissionsError as exc:
                raise PermissionError(f"the queue {name} belongs to another user: {exc}") from exc
            except (OSError, ValueError, MemoryError) as exc:
                if not left or not isinstance(exc, OSError):
                    raise QueueLimitReached(_explain_limit(name, max_items, max_item_size, exc)) from exc
                time.sleep(_RETRY_INTERVAL)
        self._mq.block = False
        self._max_items = int(self._mq.max_messages)
        self._max_item_size = int(self._mq.max_message_size)
        # On Linux the descriptor can be polled: mq_overview(7).
        self._reading = FdWatcher(self._mq.mqd, "read", lambda: getters.notify(at_once=True))
        self._writing = FdWatcher(self._mq.mqd, "write", lambda: putters.notify(at_once=True))
        getters, putters = Waiters(queue.Empty, self._reading.watch), Waiters(queue.Full, self._writing.watch)
        super().__init__(serializer or PickleSerializer(1), getters, putters)

    @property
    def guarantees(self) -> Guarantees:
        return Guarantees(
            priority=True, persistent=True, largest_item=self._max_item_size, capacity=self._max_items
        )

    def fileno(self) -> int:
        """Return the queue's descriptor, which select(2) and event loops can poll."""
        self._check_open()
        return int(self._mq.mqd)

    def put_nowait(self, item: Any, /, *, priority: int = 0) -> None:
        """Put an item into the queue. For arguments and errors see ``put``; queue.Full: at once."""
        self._send(self._dumped(item), priority)

    async def put(self, item: Any, /, *, priority: int = 0, timeout: float | None = None) -> None:
        """Wait for room, then put an item into the queue, as AsyncQueue.put does.

        Args:
            priority: 0 to 32767; items with the highest come out first.

        Raises:
            MessageTooBig: the item is larger than the queue's ``max_item_size``.
            ValueError: the priority is out of range.
        """
        data = self._dumped(item)
        await self._putters.wait(lambda: self._send(data, priority), timeout)

    def qsize(self) -> int:
        self._check_open()
        return int(self._mq.current_messages)

    def close(self) -> None:
        """Close the descriptor. Callers that wait here get ``Closed``; the queue and its items stay."""
        if not self._closed:
            self._reading.ignore()
            self._writing.ignore()
            super().close()
            self._mq.close()

    def unlink(self) -> None:
        """Remove the queue's name: mq_unlink(3). The queue ends when the last process closes it.

        Raises:
            FileNotFoundError: it was removed already.
            PermissionError: it belongs to another user.
        """
        try:
            self._posix_ipc.unlink_message_queue(self.name)
        except self._posix_ipc.ExistentialError as exc:
            raise FileNotFoundError(f"there is no queue {self.name}") from exc
        except self._posix_ipc.PermissionsError as exc:
            raise PermissionError(f"the queue {self.name} belongs to another user") from exc

    # -- attempts

    def _dumped(self, item: Any) -> bytes:
        data = self._dump(item)
        if len(data) > self._max_item_size:
            raise MessageTooBig(
                f"the item has {len(data)} bytes, but {self.name} was created for at most "
                f"{self._max_item_size} (max_item_size; the system's limit is fs.mqueue.msgsize_max)"
            )
        return data

    def _send(self, data: bytes, priority: int = 0) -> None:
        self._check_open()
        try:
            self._mq.send(data, priority=priority)
        except self._posix_ipc.BusyError:
            raise queue.Full from None
        except self._posix_ipc.ExistentialError:
            self._check_open()  # another thread has just closed it
            raise

    def _receive(self) -> bytes:
        self._check_open()
        try:
            data, _ = self._mq.receive()
        except self._posix_ipc.BusyError:
            raise queue.Empty from None
        except self._posix_ipc.ExistentialError:
            self._check_open()
            raise
        return bytes(data)


def _explain_limit(name: str, max_items: int, max_item_size: int, error: Exception) -> str:
    what = f"cannot create {name} for {max_items} items of {max_item_size} bytes: "
    for wanted, limit in ((max_items, "msg_max"), (max_item_size, "msgsize_max")):
        allowed = sysctl(f"fs.mqueue.{limit}")
        if allowed is not None and wanted > allowed:
            return f"{what}the system allows {allowed}: raise fs.mqueue.{limit} with sysctl -w"
    if "space" in str(error):  # ENOSPC; posix_ipc does not tell the number
        return (
            f"{what}there are {sysctl('fs.mqueue.queues_max')} queues already: raise "
            "fs.mqueue.queues_max with sysctl -w, or remove some (files where an mqueue system is mounted)"
        )
    if sys.platform == "linux" and isinstance(error, OSError):  # EMFILE
        size, files = getrlimit(RLIMIT_MSGQUEUE)[0], getrlimit(RLIMIT_NOFILE)[0]
        return (
            f"{what}all queues of this user may hold {size} bytes: raise RLIMIT_MSGQUEUE with ulimit -q; "
            f"or this process has its {files} files open: raise RLIMIT_NOFILE with ulimit -n"
        )
    return f"{what}{error}"
