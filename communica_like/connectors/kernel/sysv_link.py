"""A link over two System V queues, whose sides ring each other."""

from __future__ import annotations

import os
import queue
from typing import Final

from ...abc import PeerIdentity
from ...system import ProcessId
from .message_link import MessageLink
from .sysv_queues import SysVPair

__all__ = ["SysVLink"]

# What the sides tell each other by their pipes, one byte each. A pipe holds more of them than there can be.
_MESSAGE: Final = b"m"  # I put a message into your queue
_FULL: Final = b"f"  # it is full; tell me when you have taken something
_ROOM: Final = b"r"  # I have
_RINGS: Final = 4096  # bytes that are read at one go


class SysVLink(MessageLink):
    """One end of a link over two System V queues.

    When the last process that has the other end of a pipe open is gone, its side of the link is.

    Args:
        name: the doorbell's key, as text.
        process: the other side's.
        pair: the queues and pipes, which belong to the link from now on.
    """

    def __init__(self, name: str, process: ProcessId, pair: SysVPair) -> None:
        peer = PeerIdentity("sysv", name, process.pid, process.uid)
        super().__init__(peer, process, pair.largest)
        self._pair = pair
        self._inwards, self._outwards = pair.inwards, pair.outwards
        self._notify_fd, self._rendezvous = pair.pipes.reading, pair.pipes.writing
        self._asked = False
        self._hung_up = False
        self._holding = False  # rings wait, to be written at one go
        self._rings = b""

    def start(self) -> None:
        if not self._broken:
            self._loop.add_reader(self._notify_fd, self._first_rung)

    def _first_rung(self) -> None:
        self._pair.pipes.met()
        self._loop.add_reader(self._notify_fd, self._rung)
        self._rung()

    def _rung(self) -> None:
        try:
            rings = os.read(self._notify_fd, _RINGS)
        except BlockingIOError:
            return
        if not rings:
            self._hung_up = True
            self._process_ended()  # or it has closed its end
            return
        if _ROOM in rings:
            self._write()
        self._asked = _FULL in rings
        self._read(rings.count(_MESSAGE), end=True)

    def _deliver(self, pieces: list[bytes]) -> None:
        if self._asked:
            # Before it is dealt with: the other side goes on meanwhile.
            self._asked = False
            self._ring(_ROOM)
        super()._deliver(pieces)

    def send(self, data: bytes) -> None:
        self._holding = True
        super().send(data)
        self._ring_at_last()

    def _put_what_waits(self) -> None:
        self._holding = True
        super()._put_what_waits()
        self._ring_at_last()

    def _ring(self, what: bytes) -> None:
        self._rings += what
        if not self._holding:
            self._ring_at_last()

    def _ring_at_last(self) -> None:
        self._holding = False
        rings, self._rings = self._rings, b""
        if rings and not self._broken:
            try:
                os.write(self._rendezvous, rings)
            except OSError:
                pass  # the other side is gone, which our own pipe tells

    def _put(self, message: bytes) -> bool:
        try:
            self._outwards.put_nowait(message)
        except queue.Full:
            return False
        except FileNotFoundError:
            self._removed()
            return True
        self._ring(_MESSAGE)
        return True

    def _get(self) -> bytes | None:
        try:
            message: bytes = self._inwards.get_nowait()
        except queue.Empty:
            return None
        except FileNotFoundError:
            self._removed()
            return None
        return message

    def _removed(self) -> None:
        # By somebody else: no side does so before the other one has hung up.
        self._loop.call_soon(lambda: self._break(wait=True))

    def _await_room(self, waiting: bool) -> None:
        if waiting:
            self._ring(_FULL)

    def _let_go(self) -> None:
        self._loop.remove_reader(self._notify_fd)
        self._pair.hang_up()
        if self._hung_up:
            self._pair.remove()
        else:
            # What was sent is in the queue, and the other side may still take it. It is told to hang up.
            self._loop.add_reader(self._notify_fd, self._await_hang_up)
            self._await_hang_up()  # if it has never been there, nothing will tell

    def _await_hang_up(self) -> None:
        try:
            if os.read(self._notify_fd, _RINGS):
                return
        except BlockingIOError:
            return
        self._loop.remove_reader(self._notify_fd)
        self._pair.remove()
