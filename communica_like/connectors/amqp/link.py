"""One end of a link over a broker."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from ...abc import Link, PeerIdentity
from ...exceptions import LinkError, LinkRefused
from ...system import ProcessId
from ..links.peer_process import PeerProcess
from .link_messages import ABORT, CREDIT, DATA, END, HEADER, TO_CLIENT, TO_SERVER, WELCOME, Introduction
from .protocol import BasicPublish
from .shared_connection import SharedConnection

__all__ = ["AmqpLink"]

_CREDIT: Final = 512 * 1024  # bytes of a link that are in the broker, or in what surrounds it
_TELL_EVERY: Final = _CREDIT // 4  # received bytes after which the other side is told
_LARGEST: Final = 128 * 1024  # bytes of a message
_HIGH_WATER: Final = 64 * 1024
_LOW_WATER: Final = 16 * 1024
_DOUBT: Final = 0.1  # seconds for what was sent before its sender was gone


class AmqpLink(Link):
    """Ordered pieces of a stream, which the other side's inbox takes. It belongs to the running event loop.

    At most _CREDIT bytes, and what is one message too many, are sent and not known to be received: so the
    broker does not fill up with what a slow side does not read.

    Args:
        broker: carries it; the caller has acquired it for the link, which releases it in the end.
        to: which end the other one is, TO_CLIENT or TO_SERVER.
        ident: the link's id, 16 bytes.

    Attributes:
        opened: done when the server has answered.
        server: the id of the server, or empty.
        process: the process at the other end, or None if it is on another machine.
        away_since: since when the server of a broken link cannot be reached, by the loop's clock; see
            RmqConnector.connect_again.
    """

    def __init__(self, broker: SharedConnection, to: int, ident: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._broker = broker
        self._to = to
        self._ident = ident
        self._unsent: deque[memoryview] = deque()
        self._size = 0  # of what is unsent
        self._sent = 0
        self._acknowledged = 0
        self._received = 0
        self._told = 0
        self._closing = False
        self._broken = False
        self._timer: asyncio.TimerHandle | None = None
        self._watch: PeerProcess | None = None
        self._data: BasicPublish | None = None
        self._control: BasicPublish | None = None
        self.opened: asyncio.Future[None] = self._loop.create_future()
        if to == TO_CLIENT:
            self.opened.set_result(None)
        self.server = ""
        self.process: ProcessId | None = None
        self.away_since: float | None = None
        self.peer = PeerIdentity(broker.scheme, broker.place)
        self.writable = True
        broker.links[self.key] = self

    @property
    def key(self) -> bytes:
        """Which end of which link this is, as it is in the header of messages that are for it."""
        return bytes([TO_CLIENT + TO_SERVER - self._to]) + self._ident

    def open(self, introduction: Introduction) -> None:
        """The other side is known."""
        broker = self._broker
        self.peer = PeerIdentity(broker.scheme, f"{broker.place} {introduction.name}".rstrip())
        self._data = broker.connection.publisher(introduction.inbox, mandatory=True)
        self._control = broker.connection.publisher(introduction.inbox, mandatory=False)
        self.server = introduction.server
        if introduction.machine and introduction.machine == broker.machine:
            self.process = introduction.process
            own, other = broker.process, introduction.process
            if other.namespace == own.namespace and other.pid != own.pid:
                self._watch = PeerProcess(introduction.process, self._process_ended)

    def welcome(self, introduction: Introduction) -> None:
        """Tell the client who the server is. If it has gone meanwhile, that comes back."""
        if self._data is not None:
            self._data.publish(HEADER.pack(WELCOME, self._to, self._ident, 0), introduction.encode())

    # -- the broker's side

    def take(self, kind: int, offset: int, data: memoryview) -> None:
        """A message for this end arrived."""
        if kind == DATA:
            self._take_data(offset, data)
        elif kind == CREDIT:
            self._acknowledged = max(self._acknowledged, min(offset, self._sent))
            self.write()
        elif kind == WELCOME and not self.opened.done():
            try:
                self.open(Introduction.decode(data.tobytes()))
            except ValueError as exc:
                self.opened.set_exception(LinkError(f"the server cannot be understood: {exc}"))
            else:
                self.opened.set_result(None)
        elif kind == END and offset != self._received:
            self.end(LinkError(f"{offset - self._received} bytes of the link were lost by the broker"))
        elif kind in (END, ABORT):
            self.end(None)

    def returned(self) -> None:
        """No queue takes what was sent to the other side."""
        if not self.opened.done():
            self.opened.set_exception(LinkRefused("nobody is there"))
        else:
            self._end_soon(LinkError("the other side has lost its connection to the broker"))

    def write(self) -> None:
        """There may be room again."""
        if self._broken:
            return
        while self._unsent and self._has_room():
            self._send(self._next_message())
        if self._closing:
            if not self._unsent:
                self._finish()
        elif not self.writable and self._size <= _LOW_WATER:
            self.writable = True
            self.receiver.link_writable()

    def end(self, error: Exception | None, tell: bool = False) -> None:
        """The link is broken: *error* says why; *tell*: the other side does not know it yet."""
        if self._broken:
            return
        self._broken = True
        self.writable = False
        self._unsent.clear()
        if self._timer is not None:
            self._timer.cancel()
        if not self.opened.done():
            self.opened.set_exception(error or LinkError("the link was closed"))
            self.opened.exception()  # whoever waited may have gone
        if tell:
            self._tell(ABORT)
        self._broker.links.pop(self.key, None)
        closing = self._broker.release()
        # The last link on a connection takes it along: whoever waits for the link's end waits for that, too.
        if closing is None:
            self._loop.call_soon(self._conclude, error)
        else:
            closing.add_done_callback(lambda _: self._conclude(error))

    # -- the session's side

    def send(self, data: bytes) -> None:
        if self._closing or self._broken or not data:
            return
        if not self._unsent and len(data) <= _LARGEST and self._has_room():
            self._send(data)
            return
        self._unsent.append(memoryview(data))
        self._size += len(data)
        while self._unsent and self._has_room():
            self._send(self._next_message())
        if self._size > _HIGH_WATER:
            self.writable = False

    def close(self) -> None:
        if not self._closing and not self._broken:
            self._closing = True
            self.writable = False
            if not self._unsent:
                self._finish()

    def abort(self) -> None:
        self._closing = True
        self.end(None, tell=True)

    # --

    def _tell(self, kind: int, offset: int = 0) -> None:
        if self._control is not None:
            self._control.publish(HEADER.pack(kind, self._to, self._ident, offset), b"")

    def _has_room(self) -> bool:
        return self._data is not None and self._broker.has_room and self._sent - self._acknowledged < _CREDIT

    def _send(self, data: bytes | memoryview) -> None:
        assert self._data is not None
        self._data.publish(HEADER.pack(DATA, self._to, self._ident, self._sent), data)
        self._sent += len(data)

    def _next_message(self) -> bytes | memoryview:
        pieces: list[memoryview] = []
        room = _LARGEST
        while room and self._unsent:
            piece = self._unsent.popleft()
            if len(piece) > room:
                self._unsent.appendleft(piece[room:])
                piece = piece[:room]
            pieces.append(piece)
            room -= len(piece)
        self._size -= _LARGEST - room
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _finish(self) -> None:
        self._tell(END, self._sent)
        self.end(None)

    def _take_data(self, offset: int, data: memoryview) -> None:
        if offset != self._received:
            # A broker drops messages where its policies, or those who administer it, say so.
            self.end(LinkError("a part of the link was lost by the broker"), tell=True)
            return
        self._received += len(data)
        try:
            self.receiver.data_received(data.tobytes())
        except Exception as exc:
            # As asyncio does with its own connections; but this one has other links on it.
            context = {"message": "a link's receiver failed", "exception": exc}
            self._loop.call_exception_handler(context)
            self.end(exc, tell=True)
        if self._received - self._told >= _TELL_EVERY and not self._broken:
            self._told = self._received
            self._tell(CREDIT, self._received)

    def _process_ended(self) -> None:
        if not self._broken:
            self._end_soon(None)

    def _end_soon(self, error: Exception | None) -> None:
        """The other side is gone, but what it sent before may be on its way."""
        if self._timer is None and not self._broken:
            self._timer = self._loop.call_later(_DOUBT, self.end, error)

    def _conclude(self, error: Exception | None) -> None:
        if self._watch is None:
            self.receiver.link_broken(error)
        else:
            self._watch.conclude(
                lambda gone: self.receiver.link_broken(gone or error), wait=not self._closing
            )
