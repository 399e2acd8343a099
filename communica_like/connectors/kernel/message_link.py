"""A link over two one-way queues whose messages are bounded in size and in number."""

from __future__ import annotations

import asyncio
import queue
from abc import abstractmethod
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ...abc import PeerIdentity
from ...serializers import RawSerializer
from ...system import ProcessId, register
from ..links.peer_process import PeerProcess
from ..links.send_buffer import SendBuffer
from .rendezvous import Pair, StartedLink

if TYPE_CHECKING:
    from ...queues import PosixMQ, SysVMQ

    MessageQueue = PosixMQ | SysVMQ
    Q = TypeVar("Q", PosixMQ, SysVMQ)


class QueuePair(Pair):
    """One side of two message queues.

    Attributes:
        inwards, outwards: the queue that this side reads, and the one that it writes.
    """

    inwards: MessageQueue
    outwards: MessageQueue

    @property
    def largest(self) -> int:
        """Bytes of the largest message."""
        return self.outwards.guarantees.largest_item or 0

    def unlink(self) -> None:
        """Remove the names of the queues, if they are still there."""
        for each in (self.inwards, self.outwards):
            with suppress(FileNotFoundError):
                each.unlink()
        for registration in self._registrations:
            registration.remove()

    def remove(self) -> None:
        self.unlink()
        self.inwards.close()
        self.outwards.close()

    def _create(self, undo: ExitStack, kind: str, make: type[Q], name: Any, **sizes: Any) -> Q:
        """Register and create a queue of the pair, which *undo* removes."""
        with ExitStack() as failed:
            registration = register(kind, str(name))
            failed.callback(registration.remove)
            made = make(name, serializer=RawSerializer(), exclusive=True, **sizes)
            failed.callback(made.close)
            failed.callback(made.unlink)
            undo.push(failed.pop_all())
        self._registrations.append(registration)
        return made


class MessageLink(StartedLink):
    """One end of a link over a QueuePair, bound to the running event loop.

    A message is a piece of the stream, and an empty one its end. Pieces that wait for room are joined, so
    small ones share a message. A subclass calls ``_read`` when a message has come, and ``_write`` when there
    is room that it watches for.

    Args:
        peer, process, pair: as for StartedLink.
    """

    def __init__(self, peer: PeerIdentity, process: ProcessId, pair: QueuePair) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = PeerProcess(process, self._process_ended)
        self._inwards, self._outwards = pair.inwards, pair.outwards
        self._largest = pair.largest
        self._unsent = SendBuffer()
        self._blocked = False  # there was no room
        self._closing = False
        self._broken = False
        self.peer = peer
        self._writable = True

    @property
    def writable(self) -> bool:
        """Whether the link takes more. Asking makes another attempt to send what waits.

        The queues have little room, and a sender that never pauses keeps the loop from reporting it.
        """
        if self._blocked and not self._closing and not self._broken:
            self._flush()
        return self._writable

    @writable.setter
    def writable(self, value: bool) -> None:
        self._writable = value

    # -- for subclasses

    def _put(self, message: bytes) -> bool:
        """Put a message into the queue; return False if there is no room."""
        try:
            self._outwards.put_nowait(message)
        except queue.Full:
            return False
        return True

    def _get(self) -> bytes | None:
        """Take a message, or return None if there is none."""
        try:
            message: bytes = self._inwards.get_nowait()
        except queue.Empty:
            return None
        return message

    @abstractmethod
    def _watch_room(self, wanted: bool) -> None:
        """Start calling ``_write`` when there is room, or stop it."""

    @abstractmethod
    def _release(self) -> None:
        """Send the end to the other side and close the pair, both as soon as possible."""

    def _read(self, limit: int, drain: bool = False) -> None:
        """Take messages, up to *limit*, while they are full; with *drain*, all of them."""
        pieces: list[bytes] = []
        message = None
        while limit and (message := self._get()):
            limit -= 1
            pieces.append(message)
            if len(message) < self._largest and not drain:
                break
        self._deliver(pieces)
        if message == b"":
            self._break()

    def _deliver(self, pieces: list[bytes]) -> None:
        if pieces and not self._broken:
            self.receiver.data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _break(self) -> None:
        if self._broken:
            return
        self._broken = True
        self.writable = False
        self._unsent.clear()
        self._release()
        self._loop.call_soon(self._report)

    def _process_ended(self) -> None:
        if not self._broken:
            self._read(-1, drain=True)  # what the process sent before
        self._break()

    def _report(self) -> None:
        self._process.conclude(lambda error: self.receiver.link_broken(error), wait=not self._closing)

    # -- the session's side

    def send(self, data: bytes) -> None:
        if self._closing or self._broken or not data:
            return
        sent = 0
        if not self._unsent.size:
            while sent < len(data) and self._put(data[sent : sent + self._largest]):
                sent += self._largest
            if sent >= len(data):
                return
            self._set_blocked(True)
        self._unsent.append(memoryview(data)[sent:] if sent else data)
        if self._unsent.full:
            self.writable = False

    def close(self) -> None:
        if not self._closing and not self._broken:
            self._closing = True
            self.writable = False
            if not self._unsent:
                self._write()

    def abort(self) -> None:
        self._closing = True
        self._break()

    # -- writing

    def _write(self) -> None:
        """Send what waits, and tell the receiver if the link is writable again."""
        if self._broken:
            return
        was_writable = self._writable
        self._flush()
        if self._writable and not was_writable:
            self.receiver.link_writable()

    def _flush(self) -> None:
        """Send what waits, and the end after it if closing, as far as there is room."""
        blocked = False
        while self._unsent and not blocked:
            message = bytes(self._unsent.take(self._largest))
            if not self._put(message):
                self._unsent.put_back(message)
                blocked = True
        self._set_blocked(blocked or (self._closing and not self._put(b"")))
        if not self._closing and self._unsent.drained:
            self._writable = True

    def _set_blocked(self, blocked: bool) -> None:
        if blocked or self._blocked:
            self._blocked = blocked
            self._watch_room(blocked)
