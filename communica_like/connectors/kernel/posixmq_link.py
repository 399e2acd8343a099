"""A link over two POSIX message queues."""

from __future__ import annotations

import asyncio
import queue
from typing import Final

from ...abc import PeerIdentity
from ...system import ProcessId, fork
from .message_link import MessageLink
from .posixmq_queues import PosixMQPair

_MANY: Final = 64  # messages that are read at one go
_LINGER: Final = 0.5  # seconds, for the other side to make room for the end


class PosixMQLink(MessageLink):
    """One end of a link over two POSIX queues.

    Args:
        name: the doorbell's.
        process: the other side's.
        pair: the queues, which belong to the link from now on.
    """

    def __init__(self, name: str, process: ProcessId, pair: PosixMQPair) -> None:
        peer = PeerIdentity("posixmq", name, process.pid, process.uid)
        super().__init__(peer, process, pair.largest)
        self._pair = pair
        self._inwards, self._outwards = pair.inwards, pair.outwards
        self._descriptors = (pair.inwards.fileno(), pair.outwards.fileno())
        self._lingering: asyncio.TimerHandle | None = None
        for descriptor in self._descriptors:
            fork.add(descriptor)

    def start(self) -> None:
        if not self._broken:
            self._loop.add_reader(self._descriptors[0], self._first_came)

    def _first_came(self) -> None:
        # The other side has the queues open, and removed their names.
        self._pair.unlink()
        self._loop.add_reader(self._descriptors[0], self._read, _MANY)
        self._read(_MANY)

    def _put(self, message: bytes) -> bool:
        try:
            self._outwards.put_nowait(message)
        except queue.Full:
            return False
        return True

    def _get(self) -> bytes | None:
        try:
            message: bytes = self._inwards.get_nowait()
        except queue.Empty:
            return None
        return message

    def _await_room(self, waiting: bool) -> None:
        if waiting:
            self._loop.add_writer(self._descriptors[1], self._write)
        else:
            self._loop.remove_writer(self._descriptors[1])

    def _let_go(self) -> None:
        self._loop.remove_reader(self._descriptors[0])
        self._loop.remove_writer(self._descriptors[1])
        self._pair.unlink()
        if self._process.ended or self._put(b""):
            self._remove()
        else:
            # Nothing may be taken out to make room: the other side may be at what comes after it.
            self._lingering = self._loop.call_later(_LINGER, self._remove)
            self._loop.add_writer(self._descriptors[1], self._tell_the_end)

    def _tell_the_end(self) -> None:
        if self._put(b""):
            self._remove()

    def _remove(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._loop.remove_writer(self._descriptors[1])
        for descriptor in self._descriptors:
            fork.discard(descriptor)
        self._pair.remove()
