"""SysVMQ: System V message queues."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import secrets
from functools import partial
from typing import Any, Final

from ...abc import Guarantees, Serializer
from ...aio.waiters import Line
from ...exceptions import MessageTooBig, QueueLimitReached
from ...features import optional_package
from ...serializers import PickleSerializer
from ..base import WaitingQueue
from .type_waiters import LAST_LOOK, TypeWaiters

__all__ = ["SysVMQ"]

logger = logging.getLogger("communica_like.queues")

_LIMITS: Final = "/proc/sys/kernel/"

_ATTEMPTS: Final = 100  # to find a key that is free
# A full queue tells nobody that there is room again: writers look, at first often.
_FIRST_LOOK: Final = 0.0001


class SysVMQ(WaitingQueue):
    """A System V message queue: sysvipc(7). Items have a type, by which readers choose.

    The queue, and what is in it, stays in the kernel until ``unlink``, or until the system goes down.

    Args:
        key: the queue's number, 1 to 2**31 - 1, the same for all who share it. None or 0: a new queue, with a
            free key, see the attribute *key*.
        max_bytes: how many bytes of items it holds; None: as many as the system gives each (kernel.msgmnb),
            or as the queue has, if it exists already.
        serializer: by default PickleSerializer(1), which is what ipcqueue writes. Whoever may write to the
            queue may then run code in its readers: see *mode*.
        mode: who may use a queue that is created here; by default only this user. See msgget(2).
        create: whether to create the queue if there is none.
        exclusive: whether it has to be created here.

    Raises:
        FeatureNotAvailable: sysv_ipc is not installed.
        FileNotFoundError: there is no such queue, and *create* is False; or (all methods) it was removed.
        FileExistsError: there is one, and *exclusive* is True.
        PermissionError: it is another user's.
        QueueLimitReached: one of the kernel's limits; the message says which, its value, and how to raise
            it.
        ValueError: that is no key, or no size.
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
        if key is not None and not 0 <= key < 2**31:
            raise ValueError(f"a key is a number from 1 to 2**31 - 1, or None, not {key!r}")
        self._largest = _limit("msgmax") or 8192
        if max_bytes is not None and max_bytes < 1:
            raise ValueError(f"a queue of {max_bytes} bytes holds nothing")
        self._mq, made = self._open(key or None, mode, create, exclusive)
        self.key = int(self._mq.key)
        if max_bytes is not None and max_bytes != self._mq.max_size:
            try:
                self._resize(max_bytes)
            except BaseException:
                if made:
                    self._mq.remove()
                raise
        self._arrivals = TypeWaiters(self.key, self._holds_some, self._put_back)
        putters = Line(queue.Full, self._await_room, self._forget_room)
        super().__init__(serializer or PickleSerializer(1), self._arrivals.any, putters)
        self._room_look: asyncio.TimerHandle | None = None
        self._room_delay = _FIRST_LOOK

    @property
    def guarantees(self) -> Guarantees:
        self._check_open()
        largest = min(self._largest, self._max_bytes())
        return Guarantees(message_types=True, persistent=True, largest_item=largest)

    def put_nowait(self, item: Any, /, *, message_type: int = 1) -> None:
        """Put an item into the queue. See ``put``.

        Raises:
            queue.Full: there is no room now.
        """
        self._send(self._dumped(item, message_type), message_type)

    def get_nowait(self, *, message_type: int = 0) -> Any:
        """Take an item out of the queue. See ``get``.

        Raises:
            queue.Empty: there is none of that type now.
        """
        return self._load(self._receive(message_type))

    async def put(self, item: Any, /, *, message_type: int = 1, timeout: float | None = None) -> None:
        """Put an item into the queue, when there is room.

        Args:
            message_type: 1 to 2**31 - 1, by which readers may choose.
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Full: there was no room in time.
            MessageTooBig: there never will be.
            SerializerError: it cannot be dumped.
            ValueError: there is no such type.

        If it is cancelled, the item was not put. Nobody is told by the kernel of room in a full queue: this
        looks for it, every 3 ms at the latest.
        """
        data = self._dumped(item, message_type)
        await self._putters.enter(lambda: self._send(data, message_type), timeout)

    async def get(self, *, message_type: int = 0, timeout: float | None = None) -> Any:
        """Take an item out of the queue, when there is one.

        Args:
            message_type: 0: the oldest item; above 0: the oldest of that type; below 0: the oldest of the
                lowest type that is not above the absolute value. See msgrcv(2).
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Empty: there was none in time.
            SerializerError: what was there cannot be loaded. It is out of the queue now.
            ValueError: there is no such type.

        If it is cancelled, or its time is over, no item was taken. Those who wait for the same type are
        served in the order in which they came.
        """
        attempt = partial(self._receive, message_type)
        return self._load(await self._arrivals.enter(message_type, attempt, timeout))

    def qsize(self) -> int:
        self._check_open()
        try:
            return int(self._mq.current_messages) + self._arrivals.empties
        except (OSError, self._sysv_ipc.ExistentialError) as exc:
            raise self._gone() from exc

    def close(self) -> None:
        """Let go of the queue; whoever waits here ends with Closed. It stays, with all items."""
        if not self._closed:
            super().close()
            self._forget_room()
            self._arrivals.close()

    def unlink(self) -> None:
        """Remove the queue with all that is in it. Whoever waits for it, in any process, ends at once.

        Raises:
            FileNotFoundError: it was removed already.
            PermissionError: it is another user's.
        """
        try:
            self._mq.remove()
        except self._sysv_ipc.ExistentialError as exc:
            raise self._gone() from exc
        except self._sysv_ipc.PermissionsError as exc:
            raise PermissionError(f"the queue {self.key} is not for this user to remove") from exc

    # -- attempts

    def _dumped(self, item: Any, message_type: int) -> bytes:
        if not 0 < message_type < 2**31:
            raise ValueError(f"a message type is a number from 1 to 2**31 - 1, not {message_type!r}")
        data = self._dump(item)
        if len(data) > self._largest:
            raise self._too_big(data, self._largest, "kernel.msgmax")
        return data

    def _too_big(self, data: bytes, most: int, where: str) -> MessageTooBig:
        return MessageTooBig(f"an item of {len(data)} bytes; queue {self.key} takes {most} at most: {where}")

    def _send(self, data: bytes, message_type: int) -> None:
        self._check_open()
        try:
            self._mq.send(data, False, message_type)
        except self._sysv_ipc.BusyError:
            if len(data) > (most := self._max_bytes()):
                raise self._too_big(data, most, "its max_bytes") from None
            raise queue.Full from None
        except (OSError, self._sysv_ipc.ExistentialError) as exc:
            raise self._gone() from exc
        self._room_delay = _FIRST_LOOK

    def _receive(self, message_type: int) -> bytes:
        self._check_open()
        if self._arrivals.take_empty(message_type):
            return b""
        try:
            data, _ = self._mq.receive(False, message_type)
        except self._sysv_ipc.BusyError:
            raise queue.Empty from None
        except self._sysv_ipc.ExistentialError as exc:
            raise self._gone() from exc
        except OverflowError as exc:
            text = f"a message type to get is a number from -2**31 to 2**31 - 1, not {message_type!r}"
            raise ValueError(text) from exc
        return bytes(data)

    def _put_back(self, empty_type: int) -> None:
        # It was taken by mistake, and nobody came for it.
        try:
            self._mq.send(b"", False, empty_type)
        except self._sysv_ipc.BusyError:
            logger.error("an empty item of type %d was lost: queue %d is full", empty_type, self.key)
        except (OSError, self._sysv_ipc.ExistentialError):
            pass  # the queue was removed, with all that is in it

    def _max_bytes(self) -> int:
        try:
            return int(self._mq.max_size)
        except (OSError, self._sysv_ipc.ExistentialError) as exc:
            raise self._gone() from exc

    def _gone(self) -> FileNotFoundError:
        return FileNotFoundError(f"the queue {self.key} was removed")

    # -- opening

    def _open(self, key: int | None, mode: int, create: bool, exclusive: bool) -> tuple[Any, bool]:
        """Return the queue, and whether it was made here."""
        if key is None:
            return self._open_any(mode), True
        if exclusive:
            return self._open_key(key, mode, create, exclusive), True
        if create:
            with contextlib.suppress(FileExistsError):
                return self._open_key(key, mode, create, exclusive=True), True
        return self._open_key(key, mode, create, exclusive), False

    def _open_key(self, key: int, mode: int, create: bool, exclusive: bool) -> Any:
        flags = self._sysv_ipc.IPC_CREAT if create else 0
        if exclusive:
            flags = self._sysv_ipc.IPC_CREX
        try:
            return self._sysv_ipc.MessageQueue(key, flags, mode=mode, max_message_size=self._largest)
        except self._sysv_ipc.ExistentialError as exc:
            if exclusive:
                raise FileExistsError(f"there is a queue {key} already") from exc
            raise FileNotFoundError(f"there is no queue {key}") from exc
        except self._sysv_ipc.PermissionsError as exc:
            raise PermissionError(f"the queue {key} is not for this user: {exc}") from exc
        except (OSError, MemoryError) as exc:
            raise QueueLimitReached(
                f"cannot create queue {key}: {exc}; there may be {_limit('msgmni')} queues: kernel.msgmni, "
                "to be raised with sysctl -w; or remove some, see ipcs -q and ipcrm"
            ) from exc

    def _open_any(self, mode: int) -> Any:
        # sysv_ipc would choose among the first 32,767, where other programs are likely to look for theirs.
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileExistsError):
                return self._open_key(secrets.randbelow(2**31 - 1) + 1, mode, create=True, exclusive=True)
        raise FileExistsError(f"no free key found in {_ATTEMPTS} attempts")

    def _resize(self, max_bytes: int) -> None:
        try:
            if max_bytes >= 2**31:
                raise OverflowError("the kernel would take the lower 32 bits")
            self._mq.max_size = max_bytes
        except (self._sysv_ipc.PermissionsError, OverflowError) as exc:
            raise QueueLimitReached(
                f"queue {self.key} cannot hold {max_bytes} bytes: the system allows {_limit('msgmnb')} each: "
                "kernel.msgmnb, to be raised with sysctl -w; or it is another user's queue"
            ) from exc

    # -- waiting

    def _holds_some(self) -> bool:
        try:
            return bool(self._mq.current_messages)
        except (OSError, self._sysv_ipc.ExistentialError):
            return True  # it was removed, which the attempt will tell

    def _await_room(self) -> None:
        self._forget_room()
        loop = asyncio.get_running_loop()
        self._room_look = loop.call_later(self._room_delay, self._putters.call_up)
        self._room_delay = min(2 * self._room_delay, LAST_LOOK)

    def _forget_room(self) -> None:
        if self._room_look is not None:
            self._room_look.cancel()
            self._room_look = None


def _limit(name: str) -> int | None:
    try:
        with open(_LIMITS + name, encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return None  # not Linux
