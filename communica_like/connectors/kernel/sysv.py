"""SysVConnector: links over System V message queues, whose sides notify each other through pipes."""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final, Self

from ...abc import PeerIdentity
from ...queues.sysv.sysvmq import SysVMQ
from ...serializers import RawSerializer
from ...system import ProcessId
from ..url import check_authkey, split_url
from .connector import KernelConnector
from .fifo_pipes import FifoPair
from .message_link import MessageLink, QueuePair

_ATTEMPTS: Final = 100  # to find a free key

# Notifications, one byte each. A pipe holds more of them than there can be at a time.
_MESSAGE: Final = b"m"  # a message is in your queue
_FULL: Final = b"f"  # your queue is full; notify me when you have taken something
_ROOM: Final = b"r"  # there is room in my queue
_READ_SIZE: Final = 4096


class SysVPair(QueuePair):
    """One side of the two queues of a link. The side that closes last removes them.

    Args:
        pipes: by which the sides notify each other; they belong to the pair.
    """

    inwards: SysVMQ
    outwards: SysVMQ

    def __init__(self, pipes: FifoPair) -> None:
        super().__init__(pipes.token)
        self.pipes = pipes

    @property
    def endpoints(self) -> tuple[str, str, str]:
        return (str(self.inwards.key), str(self.outwards.key), self.token)

    @classmethod
    def make(cls) -> Self:
        pair = cls(FifoPair.make())
        with contextlib.ExitStack() as undo:
            undo.callback(pair.pipes.remove)
            pair.inwards, pair.outwards = pair._create_queue(undo), pair._create_queue(undo)
            undo.pop_all()
        return pair

    @classmethod
    def of_client(cls, *endpoints: str) -> Self:
        keys = endpoints[:2]
        if len(endpoints) != 3 or not all(key.isascii() and key.isdecimal() and int(key) for key in keys):
            raise ValueError(f"two keys and the name of a pair of pipes are expected, not {endpoints!r}")
        pair = cls(FifoPair.of_client(endpoints[2]))
        open_ = partial(SysVMQ, serializer=RawSerializer(), create=False)
        with contextlib.ExitStack() as undo:
            undo.callback(pair.pipes.remove)
            pair.outwards = undo.enter_context(contextlib.closing(open_(int(keys[0]))))
            pair.inwards = open_(int(keys[1]))
            undo.pop_all()
        return pair

    def remove(self) -> None:
        super().remove()
        self.pipes.remove()

    def _create_queue(self, undo: contextlib.ExitStack) -> SysVMQ:
        for _ in range(_ATTEMPTS):
            key = secrets.randbelow(2**31 - 1) + 1
            with contextlib.suppress(FileExistsError):
                return self._create(undo, "sysvmq", SysVMQ, key)
        raise FileExistsError(f"no free key found in {_ATTEMPTS} attempts")


class SysVLink(MessageLink):
    """One end of a link over two System V queues.

    The end of the pipe means the end of the other side: of the last process that had it open. For
    arguments see StartedLink.
    """

    def __init__(self, peer: PeerIdentity, process: ProcessId, pair: SysVPair) -> None:
        super().__init__(peer, process, pair)
        self._pair = pair
        self._notify_fd, self._notify_peer_fd = pair.pipes.reading, pair.pipes.writing
        self._room_wanted = False
        self._corked = False  # collecting notifications, to write them at one go
        self._notifications = b""

    def start(self) -> None:
        if not self._broken:
            self._loop.add_reader(self._notify_fd, self._first_notified)

    def _first_notified(self) -> None:
        self._pair.pipes.establish()
        self._loop.add_reader(self._notify_fd, self._notified)
        self._notified()

    def _notified(self) -> None:
        try:
            notifications = os.read(self._notify_fd, _READ_SIZE)
        except BlockingIOError:
            return
        if not notifications:
            self._process_ended()  # or it has closed its end
            return
        if _ROOM in notifications:
            self._write()
        self._room_wanted = _FULL in notifications
        self._read(notifications.count(_MESSAGE), drain=True)

    def _deliver(self, pieces: list[bytes]) -> None:
        if self._room_wanted:
            # Before the data is handled, so that the other side goes on meanwhile.
            self._room_wanted = False
            self._notify(_ROOM)
        super()._deliver(pieces)

    def send(self, data: bytes) -> None:
        self._corked = True
        super().send(data)
        self._uncork()

    def _flush(self) -> None:
        self._corked = True
        super()._flush()
        self._uncork()

    def _notify(self, what: bytes) -> None:
        self._notifications += what
        if not self._corked:
            self._uncork()

    def _uncork(self) -> None:
        self._corked = False
        notifications, self._notifications = self._notifications, b""
        if notifications and not self._broken:
            try:
                os.write(self._notify_peer_fd, notifications)
            except OSError:
                pass  # the other side is gone, as the end of its pipe will tell

    def _put(self, message: bytes) -> bool:
        try:
            self._outwards.put_nowait(message)
        except queue.Full:
            return False
        except FileNotFoundError:
            self._queue_removed()
            return True
        self._notify(_MESSAGE)
        return True

    def _get(self) -> bytes | None:
        try:
            return super()._get()
        except FileNotFoundError:
            self._queue_removed()
            return None

    def _queue_removed(self) -> None:
        # By another program: neither side does so before the other one has closed its pipe.
        self._loop.call_soon(self._break)

    def _watch_room(self, wanted: bool) -> None:
        if wanted:
            self._notify(_FULL)

    def _release(self) -> None:
        self._loop.remove_reader(self._notify_fd)
        self._pair.pipes.close_writing()
        # The other side may still take what was sent. The end of this side's pipe makes it close its own.
        self._loop.add_reader(self._notify_fd, self._await_peer_close)
        self._await_peer_close()  # if it is gone already, or was never there: then there is no event

    def _await_peer_close(self) -> None:
        try:
            if os.read(self._notify_fd, _READ_SIZE):
                return
        except BlockingIOError:
            return
        self._loop.remove_reader(self._notify_fd)
        self._pair.remove()


@dataclass(frozen=True, slots=True)
class SysVConnector(KernelConnector):
    """Links over System V message queues (sysvipc(7)), two for each link.

    A client creates them, with keys of their own and open to its user alone, and sends the keys to the server
    through the server's own queue. Such a queue cannot wake an event loop, so each side also has a named
    pipe, through which the other side notifies it. The queues are removed with the link. If both processes
    are killed, the next one that connects or listens removes them, or ``queues.reap()``.

    Args:
        key: of the server's queue: 1 to 2**31 - 1.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        ValueError: *key* is not such a key.

    ``connect`` and ``listen`` also raise FeatureNotAvailable if sysv_ipc is not installed, and
    QueueLimitReached, whose message names the kernel's limit and how to raise it.
    """

    scheme: ClassVar[str] = "sysv"
    _kind = "sysvmq"
    _pair = SysVPair
    _link = SysVLink
    _package = ("sysv_ipc", "sysvmq")

    key: int
    authkey: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.key, int) or isinstance(self.key, bool) or not 0 < self.key < 2**31:
            raise ValueError(f"a SysVConnector's key is a number from 1 to 2**31 - 1, not {self.key!r}")
        check_authkey(self.authkey)

    @property
    def _name(self) -> str:
        return str(self.key)

    def _queue(self, create: bool) -> SysVMQ:
        return SysVMQ(self.key, serializer=RawSerializer(), create=create, exclusive=create)

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        key = split_url(text, cls.scheme)
        if not key.isascii() or not key.isdecimal():
            raise ValueError(f"sysv://key is expected, with a number; found {text!r}")
        return cls(int(key), **secrets)
