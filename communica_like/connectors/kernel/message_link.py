"""A Link over two one-way queues of messages that are bounded in size, and in number."""

from __future__ import annotations

import asyncio
from abc import abstractmethod

from ...abc import PeerIdentity
from ...system import ProcessId
from ..links.peer_process import PeerProcess
from ..links.send_buffer import SendBuffer
from .rendezvous import StartedLink

__all__ = ["MessageLink"]


class MessageLink(StartedLink):
    """One end of a pair of queues. A message is a piece of the stream; an empty one says that it is over.

    What waits for room is joined, so that small pieces share a message. It belongs to the running event loop.

    Args:
        peer: who is at the other end.
        process: the same.
        largest: bytes of the largest message.

    A subclass calls ``_read`` when a message came, and ``_write`` when there is room after ``_await_room``.
    """

    def __init__(self, peer: PeerIdentity, process: ProcessId, largest: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = PeerProcess(process, self._process_ended)
        self._largest = largest
        self._unsent = SendBuffer()
        self._blocked = False  # there was no room
        self._closing = False
        self._broken = False
        self.peer = peer
        self._writable = True

    @property
    def writable(self) -> bool:
        """Whether it holds no more than it likes. Whoever asks has more to send: so look for room once more.

        There is little room in these queues, and who sends without a pause keeps the loop from telling of it.
        """
        if self._blocked and not self._closing and not self._broken:
            self._put_what_waits()
        return self._writable

    @writable.setter
    def writable(self, value: bool) -> None:
        self._writable = value

    # -- for subclasses

    @abstractmethod
    def _put(self, message: bytes) -> bool:
        """Put a message into the queue; return False if there is no room."""

    @abstractmethod
    def _get(self) -> bytes | None:
        """Take a message, or return None if there is none."""

    @abstractmethod
    def _await_room(self, waiting: bool) -> None:
        """From now on call ``_write`` when there is room, or do so no longer."""

    @abstractmethod
    def _let_go(self) -> None:
        """Tell the other side that it is over, and close everything, both as soon as it can be."""

    def _read(self, most: int, end: bool = False) -> None:
        """Take messages, *most* at most, as long as they are full; *end*: as long as there are any."""
        pieces: list[bytes] = []
        over = False
        while most:
            most -= 1
            message = self._get()
            if message is None:
                break
            if not message:
                over = True
                break
            pieces.append(message)
            if len(message) < self._largest and not end:
                break
        self._deliver(pieces)
        if over:
            self._break(wait=not self._closing)

    def _deliver(self, pieces: list[bytes]) -> None:
        if pieces and not self._broken:
            self.receiver.data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _break(self, *, wait: bool) -> None:
        if self._broken:
            return
        self._broken = True
        self.writable = False
        self._unsent.clear()
        self._let_go()
        self._loop.call_soon(self._report, wait)

    def _process_ended(self) -> None:
        if not self._broken:
            self._read(-1, end=True)  # what it sent before
        self._break(wait=not self._closing)

    def _report(self, wait: bool) -> None:
        self._process.conclude(lambda error: self.receiver.link_broken(error), wait=wait)

    # -- the session's side

    def send(self, data: bytes) -> None:
        if self._closing or self._broken or not data:
            return
        rest = memoryview(data)
        if not self._unsent:
            rest = self._put_pieces(data)
            if not rest:
                return
        self._unsent.append(rest)
        if self._unsent.full:
            self.writable = False

    def close(self) -> None:
        if not self._closing and not self._broken:
            self._closing = True
            self.writable = False
            if not self._unsent:
                self._write()

    def abort(self) -> None:
        self._break(wait=False)

    # -- writing

    def _put_pieces(self, data: bytes) -> memoryview:
        """Put what there is room for; return the rest."""
        largest = self._largest
        if len(data) <= largest:
            if self._put(data):
                return memoryview(b"")
            self._block()
            return memoryview(data)
        view = memoryview(data)
        for start in range(0, len(data), largest):
            if not self._put(data[start : start + largest]):
                self._block()
                return view[start:]
        return view[:0]

    def _write(self) -> None:
        """There is room again."""
        if self._broken:
            return
        was_writable = self._writable
        self._put_what_waits()
        if self._writable and not was_writable:
            self.receiver.link_writable()

    def _put_what_waits(self) -> None:
        while self._unsent:
            message = bytes(self._unsent.take(self._largest))
            if not self._put(message):
                self._unsent.put_back(message)
                self._block()
                break
        else:
            if not self._closing or self._put(b""):
                self._unblock()
            else:
                self._block()
        if not self._closing and self._unsent.drained:
            self._writable = True

    def _block(self) -> None:
        self._blocked = True
        self._await_room(True)

    def _unblock(self) -> None:
        if self._blocked:
            self._blocked = False
            self._await_room(False)
