"""PosixMQ: POSIX message queues."""

from __future__ import annotations

import os
import queue
import re
import sys
import time
from functools import partial
from typing import Any, Final

from ..abc import Guarantees, Serializer
from ..aio.waiters import Line
from ..exceptions import MessageTooBig, QueueLimitReached
from ..features import optional_package
from ..serializers import PickleSerializer
from .base import FdWatcher, WaitingQueue

if sys.platform == "linux":
    from resource import RLIMIT_MSGQUEUE, RLIMIT_NOFILE, getrlimit

__all__ = ["PosixMQ"]

_LIMITS = "/proc/sys/fs/mqueue/"

# Who makes a link over such queues tries out, for a fraction of a millisecond, how much room there is.
_ATTEMPTS: Final = 4
_PAUSE: Final = 0.001  # seconds


class PosixMQ(WaitingQueue):
    """A POSIX message queue: mq_overview(7). Items of higher priority come first, then the oldest.

    The queue, and what is in it, stays in the kernel until ``unlink``, or until the system goes down. To
    any number of processes it is the same queue by its name; one that is unlinked while they have it open
    goes on working for them, and is gone with the last of them, in whatever way that one ends.

    Args:
        name: ``"/"`` and 1 to 254 bytes without another ``"/"`` or a NUL.
        max_items: how many items it holds; of a queue that exists already, its own number counts.
        max_item_size: bytes of the largest dumped item; likewise.
        serializer: by default PickleSerializer(1), which is what ipcqueue writes. Whoever may write to the
            queue may then run code in its readers: see *mode*.
        mode: who may open a queue that is created here; by default only this user. See mq_open(3).
        create: whether to create the queue if there is none.
        exclusive: whether it has to be created here.

    Raises:
        FeatureNotAvailable: posix_ipc is not installed.
        FileNotFoundError: there is no such queue, and *create* is False.
        FileExistsError: there is one, and *exclusive* is True.
        PermissionError: it is another user's.
        QueueLimitReached: one of the kernel's limits; the message says which, its value, and how to raise
            it.
        ValueError: that is no name.
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
        _check_name(name)
        if max_items < 1 or max_item_size < 1:
            raise ValueError(f"a queue of {max_items} items of {max_item_size} bytes holds nothing")
        self.name = name
        flags = self._posix_ipc.O_CREAT if create else 0
        if exclusive:
            flags = self._posix_ipc.O_CREX
        open_ = partial(
            self._posix_ipc.MessageQueue,
            name,
            flags,
            mode=mode,
            max_messages=max_items,
            max_message_size=max_item_size,
        )
        for left in reversed(range(1 if exclusive else _ATTEMPTS)):
            try:
                self._mq = open_()
                break
            except self._posix_ipc.ExistentialError as exc:
                if exclusive:
                    raise FileExistsError(f"there is a queue {name} already") from exc
                raise FileNotFoundError(f"there is no queue {name}") from exc
            except self._posix_ipc.PermissionsError as exc:
                raise PermissionError(f"the queue {name} is not for this user: {exc}") from exc
            except (OSError, ValueError, MemoryError) as exc:
                if not left or not isinstance(exc, OSError):
                    raise QueueLimitReached(_why_not(name, max_items, max_item_size, exc)) from exc
                time.sleep(_PAUSE)
        self._mq.block = False
        self._max_items = int(self._mq.max_messages)
        self._max_item_size = int(self._mq.max_message_size)
        # On Linux the descriptor can be polled: mq_overview(7).
        self._reading = FdWatcher(self._mq.mqd, "read", lambda: getters.call_up(at_once=True))
        self._writing = FdWatcher(self._mq.mqd, "write", lambda: putters.call_up(at_once=True))
        getters, putters = Line(queue.Empty, self._reading.watch), Line(queue.Full, self._writing.watch)
        super().__init__(serializer or PickleSerializer(1), getters, putters)

    @property
    def guarantees(self) -> Guarantees:
        return Guarantees(
            priority=True, persistent=True, largest_item=self._max_item_size, capacity=self._max_items
        )

    def fileno(self) -> int:
        """Return the queue's descriptor, which can be polled."""
        self._check_open()
        return int(self._mq.mqd)

    def put_nowait(self, item: Any, /, *, priority: int = 0) -> None:
        """Put an item into the queue. See ``put``.

        Raises:
            queue.Full: there is no room now.
        """
        self._send(self._dumped(item), priority)

    def get_nowait(self) -> Any:
        return self._load(self._receive())

    async def put(self, item: Any, /, *, priority: int = 0, timeout: float | None = None) -> None:
        """Put an item into the queue, when there is room.

        Args:
            priority: 0 to 32767; the highest come out first.
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Full: there was no room in time.
            MessageTooBig: the item is larger than the queue's ``max_item_size``.
            SerializerError: it cannot be dumped.
            ValueError: there is no such priority.

        If it is cancelled, the item was not put.
        """
        data = self._dumped(item)
        await self._putters.enter(lambda: self._send(data, priority), timeout)

    async def get(self, *, timeout: float | None = None) -> Any:
        return self._load(await self._getters.enter(self._receive, timeout))

    def qsize(self) -> int:
        self._check_open()
        return int(self._mq.current_messages)

    def close(self) -> None:
        """Let go of the queue; whoever waits here ends with Closed. It stays, with all items."""
        if not self._closed:
            self._reading.ignore()
            self._writing.ignore()
            super().close()
            self._mq.close()

    def unlink(self) -> None:
        """Remove the queue's name; the queue itself goes when nobody has it open any more.

        Raises:
            FileNotFoundError: it was removed already.
            PermissionError: it is another user's.
        """
        try:
            self._posix_ipc.unlink_message_queue(self.name)
        except self._posix_ipc.ExistentialError as exc:
            raise FileNotFoundError(f"there is no queue {self.name}") from exc
        except self._posix_ipc.PermissionsError as exc:
            raise PermissionError(f"the queue {self.name} is not for this user to remove") from exc

    # -- attempts

    def _dumped(self, item: Any) -> bytes:
        data = self._dump(item)
        if len(data) > self._max_item_size:
            raise MessageTooBig(
                f"an item of {len(data)} bytes; {self.name} was created for {self._max_item_size} at most "
                f"(max_item_size; the system's limit is in {_LIMITS}msgsize_max)"
            )
        return data

    def _send(self, data: bytes, priority: int) -> None:
        self._check_open()
        try:
            self._mq.send(data, priority=priority)
        except self._posix_ipc.BusyError:
            raise queue.Full from None
        except self._posix_ipc.ExistentialError:
            self._check_open()  # another thread closed it just now
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


def _check_name(name: str) -> None:
    # A NUL ends the process in posix_ipc 1.3.2.
    if not re.fullmatch(r"/[^/\0]+", name) or len(os.fsencode(name)) > 255:
        text = 'a queue\'s name is "/" and 1 to 254 bytes without another "/" or a NUL'
        raise ValueError(f"{text}, not {name!r}")


def _why_not(name: str, max_items: int, max_item_size: int, error: Exception) -> str:
    what = f"cannot create {name} for {max_items} items of {max_item_size} bytes: "
    for wanted, limit in ((max_items, "msg_max"), (max_item_size, "msgsize_max")):
        allowed = _limit(limit)
        if allowed is not None and wanted > allowed:
            return f"{what}the system allows {allowed}: fs.mqueue.{limit}, to be raised with sysctl -w"
    if "space" in str(error):  # ENOSPC; posix_ipc does not give the number
        return (
            f"{what}there are {_limit('queues_max')} queues already: fs.mqueue.queues_max, to be raised with "
            "sysctl -w; or remove some (they are files where a mqueue file system is mounted)"
        )
    if sys.platform == "linux" and isinstance(error, OSError):  # EMFILE
        size, files = getrlimit(RLIMIT_MSGQUEUE)[0], getrlimit(RLIMIT_NOFILE)[0]
        return (
            f"{what}all queues of this user may hold {size} bytes: RLIMIT_MSGQUEUE, to be raised with "
            f"ulimit -q; or the {files} files that this process may have are open: RLIMIT_NOFILE, ulimit -n"
        )
    return f"{what}{error}"


def _limit(name: str) -> int | None:
    try:
        with open(_LIMITS + name, encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return None  # not Linux, or not mounted
