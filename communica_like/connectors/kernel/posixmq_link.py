"""A link over two POSIX message queues."""

from __future__ import annotations

import asyncio
from typing import Final

from ...system import ProcessId, fork
from .message_link import MessageLink
from .posixmq_queues import PosixMQPair

_READ_LIMIT: Final = 64  # messages that are read at one go
_END_TIMEOUT: Final = 0.5  # seconds for the other side to make room for the end


class PosixMQLink(MessageLink):
    """One end of a link over two POSIX queues.

    Args:
        name, process, pair: as for StartedLink.
    """

    def __init__(self, name: str, process: ProcessId, pair: PosixMQPair) -> None:
        super().__init__("posixmq", name, process, pair)
        self._pair = pair
        self._descriptors = (pair.inwards.fileno(), pair.outwards.fileno())
        self._end_timer: asyncio.TimerHandle | None = None
        for descriptor in self._descriptors:
            fork.add(descriptor)

    def start(self) -> None:
        if not self._broken:
            self._loop.add_reader(self._descriptors[0], self._first_came)

    def _first_came(self) -> None:
        # The other side has the queues open, and removed their names.
        self._pair.unlink()
        self._loop.add_reader(self._descriptors[0], self._read, _READ_LIMIT)
        self._read(_READ_LIMIT)

    def _watch_room(self, wanted: bool) -> None:
        if wanted:
            self._loop.add_writer(self._descriptors[1], self._write)
        else:
            self._loop.remove_writer(self._descriptors[1])

    def _release(self) -> None:
        self._loop.remove_reader(self._descriptors[0])
        self._loop.remove_writer(self._descriptors[1])
        self._pair.unlink()
        if self._process.ended or self._put(b""):
            self._remove()
        else:
            # Taking a message out to make room would tear a hole into what the other side still reads.
            self._end_timer = self._loop.call_later(_END_TIMEOUT, self._remove)
            self._loop.add_writer(self._descriptors[1], self._send_end)

    def _send_end(self) -> None:
        if self._put(b""):
            self._remove()

    def _remove(self) -> None:
        if self._end_timer is not None:
            self._end_timer.cancel()
            self._loop.remove_writer(self._descriptors[1])
        for descriptor in self._descriptors:
            fork.discard(descriptor)
        self._pair.remove()
