"""A link over two System V queues, whose sides notify each other through pipes."""

from __future__ import annotations

import os
import queue
from typing import Final

from ...system import ProcessId
from .message_link import MessageLink
from .sysv_queues import SysVPair

# Notifications, one byte each. A pipe holds more of them than there can be at a time.
_MESSAGE: Final = b"m"  # a message is in your queue
_FULL: Final = b"f"  # your queue is full; notify me when you have taken something
_ROOM: Final = b"r"  # there is room in my queue
_READ_SIZE: Final = 4096


class SysVLink(MessageLink):
    """One end of a link over two System V queues.

    The end of the pipe means the end of the other side: of the last process that had it open.

    Args:
        name, process, pair: as for StartedLink.
    """

    def __init__(self, name: str, process: ProcessId, pair: SysVPair) -> None:
        super().__init__("sysv", name, process, pair)
        self._pair = pair
        self._notify_fd, self._notify_peer_fd = pair.pipes.reading, pair.pipes.writing
        self._room_wanted = False
        self._peer_closed = False
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
            self._peer_closed = True
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
        if self._peer_closed:
            self._pair.remove()
        else:
            # The other side may still take what was sent. The end of this side's pipe makes it close its own.
            self._loop.add_reader(self._notify_fd, self._await_peer_close)
            self._await_peer_close()  # if it was never there, there is no event

    def _await_peer_close(self) -> None:
        try:
            if os.read(self._notify_fd, _READ_SIZE):
                return
        except BlockingIOError:
            return
        self._loop.remove_reader(self._notify_fd)
        self._pair.remove()
