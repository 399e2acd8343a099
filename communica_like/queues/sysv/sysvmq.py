"""SysVMQ: a System V message queue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import secrets
from functools import partial
from typing import Any, Final

from ...abc import Guarantees, Serializer
from ...aio.waiters import Waiters
from ...arguments import check_kind
from ...exceptions import MessageTooBig, QueueLimitReached
from ...features import optional_package
from ...serializers import PickleSerializer
from ...system.sysctl import sysctl
from ..base import WaitingQueue
from .type_waiters import POLL_INTERVAL, TypeWaiters

logger = logging.getLogger("communica_like.queues")

_KEY_ATTEMPTS: Final = 100
# The kernel does not tell when a full queue has room again, so putters poll, at first often.
_FIRST_POLL_INTERVAL: Final = 0.0001  # seconds


class SysVMQ(WaitingQueue):
    """A System V message queue: sysvipc(7). Items have a type, by which readers choose.

    Any number of processes may open it by its key, to put and to get. The queue and its items stay in the
    kernel until ``unlink`` or the system's shutdown. All methods raise FileNotFoundError after it was
    removed.

    Args:
        key: the queue's number, 1 to 2**31 - 1. None or 0: create a queue with a free key, which the
            attribute *key* then has.
        max_bytes: how many bytes of items it holds; None: the system's default (kernel.msgmnb), or what an
            existing queue has.
        serializer: by default PickleSerializer(1), the format of ipcqueue. With it, every process that may
            write to the queue can run code in its readers: see *mode*.
        mode: permissions of a queue that is created here; by default this user's alone. See msgget(2).
        create: whether to create the queue if it is missing.
        exclusive: whether the queue must be created here.

    Attributes:
        key: the queue's number.

    Raises:
        FeatureNotAvailable: sysv_ipc is not installed.
        FileNotFoundError: there is no such queue, and *create* is False.
        FileExistsError: there is one already, and *exclusive* is True.
        PermissionError: it belongs to another user.
        QueueLimitReached: a limit of the kernel; the message has its name and value, and how to raise it.
        ValueError: the key or the size is out of range.
    """

    def __init__(
        self,
        key: int | None = None,
        max_bytes: int | None = None,
        serializer: Serializer | None = None,
        *,
        mode: int = 0o600,
        create: bool = True,
        exclusive: bool = False,
    ) -> None:
        self._sysv_ipc = optional_package("sysv_ipc", "sysvmq")
        check_kind(key, int | None, "a queue's key is an int or None", "SysVMQ(1234)")
        if key is not None and not 0 <= key < 2**31:
            raise ValueError(f"a key must be None, or a number from 1 to 2**31 - 1, not {key!r}")
        self._largest = sysctl("kernel.msgmax") or 8192
        if max_bytes is not None and max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        self._mq, made = self._open(key or None, mode, create, exclusive)
        self.key = int(self._mq.key)
        if max_bytes is not None and max_bytes != self._mq.max_size:
            try:
                self._resize(max_bytes)
            except BaseException:
                if made:
                    self._mq.remove()
                raise
        self._waiters = TypeWaiters(self.key, self._holds_some, self._put_back)
        putters = Waiters(queue.Full, self._poll_room, self._cancel_room_timer)
        super().__init__(serializer or PickleSerializer(1), self._waiters.any, putters)
        self._room_timer: asyncio.TimerHandle | None = None
        self._room_delay = _FIRST_POLL_INTERVAL

    @property
    def guarantees(self) -> Guarantees:
        self._check_open()
        largest = min(self._largest, self._field("max_size"))
        return Guarantees(message_types=True, persistent=True, largest_item=largest)

    def put_nowait(self, item: Any, /, *, message_type: int = 1) -> None:
        """Put an item into the queue. For arguments and errors see ``put``; queue.Full: at once."""
        self._send(self._dumped(item, message_type), message_type)

    def get_nowait(self, *, message_type: int = 0) -> Any:
        """Remove an item and return it. For arguments and errors see ``get``; queue.Empty: at once."""
        return self._load(self._receive(message_type))

    async def put(self, item: Any, /, *, message_type: int = 1, timeout: float | None = None) -> None:
        """Wait for room, then put an item into the queue, as AsyncQueue.put does.

        The kernel does not tell when a full queue has room again: this polls, at least every 3 ms.

        Args:
            message_type: 1 to 2**31 - 1, by which readers may choose.

        Raises:
            MessageTooBig: the item is larger than kernel.msgmax or the queue.
            ValueError: the type is out of range.
        """
        data = self._dumped(item, message_type)
        await self._putters.wait(lambda: self._send(data, message_type), timeout)

    async def get(self, *, message_type: int = 0, timeout: float | None = None) -> Any:
        """Wait for an item, then remove it from the queue and return it, as AsyncQueue.get does.

        Callers that wait for the same type are served in the order in which they came.

        Args:
            message_type: 0: the oldest item; above 0: the oldest of that type; below 0: the oldest of the
                lowest type that is at most the absolute value. See msgrcv(2).

        Raises:
            ValueError: the type is out of range.
        """
        attempt = partial(self._receive, message_type)
        return self._load(await self._waiters.wait(message_type, attempt, timeout))

    def qsize(self) -> int:
        self._check_open()
        return self._field("current_messages") + len(self._waiters.empty)

    def close(self) -> None:
        """Close this end. Callers that wait here get ``Closed``; the queue and its items stay."""
        if not self._closed:
            super().close()
            self._cancel_room_timer()
            self._waiters.close()

    def unlink(self) -> None:
        """Remove the queue and its items. Callers that wait in any process get FileNotFoundError.

        Raises:
            FileNotFoundError: it was removed already.
            PermissionError: it belongs to another user.
        """
        try:
            self._mq.remove()
        except self._sysv_ipc.ExistentialError as exc:
            raise self._gone() from exc
        except self._sysv_ipc.PermissionsError as exc:
            raise PermissionError(f"the queue {self.key} belongs to another user") from exc

    # -- attempts

    def _dumped(self, item: Any, message_type: int = 1) -> bytes:
        if not 0 < message_type < 2**31:
            raise ValueError(f"a message type must be a number from 1 to 2**31 - 1, not {message_type!r}")
        data = self._dump(item)
        if len(data) > self._largest:
            raise self._too_big(data, self._largest, "kernel.msgmax")
        return data

    def _too_big(self, data: bytes, most: int, where: str) -> MessageTooBig:
        text = f"the item has {len(data)} bytes, but queue {self.key} takes at most {most}: {where}"
        return MessageTooBig(text)

    def _send(self, data: bytes, message_type: int = 1) -> None:
        self._check_open()
        try:
            self._mq.send(data, False, message_type)
        except self._sysv_ipc.BusyError:
            if len(data) > (most := self._field("max_size")):
                raise self._too_big(data, most, "its max_bytes") from None
            raise queue.Full from None
        except (OSError, self._sysv_ipc.ExistentialError) as exc:
            raise self._gone() from exc
        self._room_delay = _FIRST_POLL_INTERVAL

    def _receive(self, message_type: int = 0) -> bytes:
        self._check_open()
        if self._waiters.take_empty(message_type):
            return b""
        try:
            data, _ = self._mq.receive(False, message_type)
        except self._sysv_ipc.BusyError:
            raise queue.Empty from None
        except self._sysv_ipc.ExistentialError as exc:
            raise self._gone() from exc
        except OverflowError as exc:
            text = f"a message type to get must be a number from -2**31 to 2**31 - 1, not {message_type!r}"
            raise ValueError(text) from exc
        return bytes(data)

    def _put_back(self, empty_type: int) -> None:
        # A watcher removed it, and no getter came for it.
        try:
            self._mq.send(b"", False, empty_type)
        except self._sysv_ipc.BusyError:
            logger.error("an empty item of type %d was lost: queue %d is full", empty_type, self.key)
        except (OSError, self._sysv_ipc.ExistentialError):
            pass  # the queue was removed, with all that is in it

    def _field(self, name: str) -> int:
        """Return a field of what msgctl(2), IPC_STAT, tells."""
        try:
            return int(getattr(self._mq, name))
        except (OSError, self._sysv_ipc.ExistentialError) as exc:
            raise self._gone() from exc

    def _gone(self) -> FileNotFoundError:
        return FileNotFoundError(f"the queue {self.key} was removed")

    # -- opening

    def _open(self, key: int | None, mode: int, create: bool, exclusive: bool) -> tuple[Any, bool]:
        """Return the queue, and whether it was created here."""
        existing, new = self._sysv_ipc.IPC_CREAT if create else 0, self._sysv_ipc.IPC_CREX
        if key is None:
            # sysv_ipc would choose among the first 32,767 keys, which other programs are likely to use.
            for _ in range(_KEY_ATTEMPTS):
                with contextlib.suppress(FileExistsError):
                    return self._open_key(secrets.randbelow(2**31 - 1) + 1, mode, new), True
            raise FileExistsError(f"no free key found in {_KEY_ATTEMPTS} attempts")
        if create and not exclusive:
            with contextlib.suppress(FileExistsError):
                return self._open_key(key, mode, new), True
        return self._open_key(key, mode, new if exclusive else existing), exclusive

    def _open_key(self, key: int, mode: int, flags: int) -> Any:
        try:
            return self._sysv_ipc.MessageQueue(key, flags, mode=mode, max_message_size=self._largest)
        except self._sysv_ipc.ExistentialError as exc:
            if flags == self._sysv_ipc.IPC_CREX:
                raise FileExistsError(f"the queue {key} exists already") from exc
            raise FileNotFoundError(f"there is no queue {key}") from exc
        except self._sysv_ipc.PermissionsError as exc:
            raise PermissionError(f"the queue {key} belongs to another user: {exc}") from exc
        except (OSError, MemoryError) as exc:
            raise QueueLimitReached(
                f"cannot create queue {key}: {exc}; the system allows {sysctl('kernel.msgmni')}: raise "
                "kernel.msgmni with sysctl -w, or remove some with ipcrm(1); ipcs -q lists them"
            ) from exc

    def _resize(self, max_bytes: int) -> None:
        try:
            if max_bytes >= 2**31:
                raise OverflowError("the kernel takes the lower 32 bits")
            self._mq.max_size = max_bytes
        except (self._sysv_ipc.PermissionsError, OverflowError) as exc:
            raise QueueLimitReached(
                f"queue {self.key} cannot hold {max_bytes} bytes: the system allows {sysctl('kernel.msgmnb')}"
                " each: raise kernel.msgmnb with sysctl -w; or it belongs to another user"
            ) from exc

    # -- waiting

    def _holds_some(self) -> bool:
        try:
            return bool(self._mq.current_messages)
        except (OSError, self._sysv_ipc.ExistentialError):
            return True  # it was removed, as the attempt will tell

    def _poll_room(self) -> None:
        self._cancel_room_timer()
        loop = asyncio.get_running_loop()
        self._room_timer = loop.call_later(self._room_delay, self._putters.notify)
        self._room_delay = min(2 * self._room_delay, POLL_INTERVAL)

    def _cancel_room_timer(self) -> None:
        if self._room_timer is not None:
            self._room_timer.cancel()
            self._room_timer = None
