"""One end of a link over a broker."""

from __future__ import annotations

import asyncio
from typing import Final

from ...abc import Link, PeerIdentity
from ...exceptions import LinkError, LinkRefused
from ...system import ProcessId
from ..links.peer_process import PeerProcess
from ..links.send_buffer import SendBuffer
from .connection import Connection
from .link_messages import ABORT, ACCEPT, CREDIT, DATA, END, HEADER, TO_CLIENT, TO_SERVER, Introduction
from .protocol import BasicPublish

_CREDIT: Final = 512 * 1024  # bytes of a link on their way through the broker
_CREDIT_STEP: Final = _CREDIT // 4  # received bytes after which the other side is told
_MAX_MESSAGE: Final = 128 * 1024  # bytes
_ARRIVAL_DELAY: Final = 0.1  # seconds for what the other side sent before it was gone


class AmqpLink(Link):
    """A byte stream in messages to the other side's inbox.

    It belongs to the event loop that runs when it is made.

    At most _CREDIT bytes, and one more message, are sent and not known to be received, so that the broker
    does not store what a slow side has yet to read.

    Args:
        connection: carries the link, with a reference that becomes the link's own.
        to: which end the other side is, TO_CLIENT or TO_SERVER.
        ident: the link's id, 16 bytes.

    Attributes:
        opened: done when the server has accepted.
        server: the id of the server, or empty.
        process: the process at the other end, or None if it is on another machine.
        away_since: when the server of a broken link was first found disconnected, by the loop's clock; see
            RmqConnector.connect_again.
    """

    def __init__(self, connection: Connection, to: int, ident: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._to = to
        self._ident = ident
        self._unsent = SendBuffer()
        self._sent = 0
        self._acknowledged = 0
        self._received = 0
        self._credited = 0
        self._closing = False
        self._broken = False
        self._withdrawn: asyncio.Future[None] | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._watch: PeerProcess | None = None
        self._publisher: BasicPublish | None = None
        self.opened: asyncio.Future[None] = self._loop.create_future()
        if to == TO_CLIENT:
            self.opened.set_result(None)
        self.server = ""
        self.process: ProcessId | None = None
        self.away_since: float | None = None
        self.peer = PeerIdentity(connection.url.scheme, connection.url.place)
        self.writable = True
        connection.links[self.key] = self

    @property
    def key(self) -> bytes:
        """This end in the header of messages for it: its number, and the link's id."""
        return bytes([TO_CLIENT + TO_SERVER - self._to]) + self._ident

    def accept(self, client: Introduction, server: Introduction) -> None:
        """Introduce the sides to each other."""
        self._introduce(client)
        self._send(ACCEPT, 0, server.encode())

    # -- events of the connection

    def message_received(self, kind: int, offset: int, data: memoryview) -> None:
        if kind == DATA:
            self._data_received(offset, data)
        elif kind == CREDIT:
            self._acknowledged = max(self._acknowledged, min(offset, self._sent))
            self.write()
        elif kind == ACCEPT and not self.opened.done():
            try:
                self._introduce(Introduction.decode(data.tobytes()))
            except ValueError as exc:
                self.opened.set_exception(LinkError(f"the server's answer is malformed: {exc}"))
            else:
                self.opened.set_result(None)
        elif kind == END and offset != self._received:
            self.end(LinkError(f"the broker lost {offset - self._received} bytes of the link"))
        elif kind in (END, ABORT):
            self.end(None)

    def message_returned(self) -> None:
        if not self.opened.done():
            self.opened.set_exception(LinkRefused("no server is there"))
        else:
            self._end_soon(LinkError("the other side has lost its connection to the broker"))

    def write(self) -> None:
        """Write what there is room for."""
        if self._broken:
            return
        while self._unsent and self._has_room():
            self._send_data(self._unsent.take(_MAX_MESSAGE))
        if self._closing:
            if not self._unsent:
                self._send(END, self._sent)
                self.end(None)
        elif not self.writable and self._unsent.drained:
            self.writable = True
            self.receiver.link_writable()

    def end(self, error: Exception | None, tell: bool = False) -> None:
        """Break the link, for the reason *error*; *tell*: tell the other side."""
        if self._broken:
            return
        self._broken = True
        self.writable = False
        self._unsent.clear()
        if self._ending is not None:
            self._ending.cancel()
        if not self.opened.done():
            self.opened.set_exception(error or LinkError("the link was closed"))
            self.opened.exception()  # its caller may have been cancelled
        if tell:
            self._send(ABORT)
        self._connection.links.pop(self.key, None)
        closing = self._connection.release()
        # If the last link on a connection takes that along, its receiver is told when both are closed.
        if closing is None:
            self._loop.call_soon(self._conclude, error)
        else:
            closing.add_done_callback(lambda _: self._conclude(error))

    # -- calls of the session

    def send(self, data: bytes) -> None:
        if self._closing or self._broken or not data:
            return
        if not self._unsent and len(data) <= _MAX_MESSAGE and self._has_room():
            self._send_data(data)
            return
        self._unsent.append(data)
        self.write()
        if self._unsent.full:
            self.writable = False

    def close(self) -> None:
        if not self._closing and not self._broken:
            self._closing = True
            self.writable = False
            self.write()

    def abort(self) -> None:
        self._closing = True
        self.end(None, tell=True)

    def withdraw(self) -> asyncio.Future[None]:
        """Abort a link that ``connect`` does not return; return a future of its end."""
        self._withdrawn = self._loop.create_future()
        self.abort()
        return self._withdrawn

    # -- messages

    def _introduce(self, peer: Introduction) -> None:
        connection, url = self._connection, self._connection.url
        self.peer = PeerIdentity(url.scheme, f"{url.place} {peer.name}".rstrip())
        self.server = peer.server
        self._publisher = connection.publisher(peer.inbox, mandatory=True)
        if peer.machine and peer.machine == connection.identity.machine:
            own, self.process = connection.identity.process, peer.process
            if self.process.namespace == own.namespace and self.process.pid != own.pid:
                self._watch = PeerProcess(self.process, self._end_soon)

    def _has_room(self) -> bool:
        writable = self._publisher is not None and self._connection.writable
        return writable and self._sent - self._acknowledged < _CREDIT

    def _send_data(self, data: bytes | memoryview) -> None:
        self._send(DATA, self._sent, data)
        self._sent += len(data)

    def _send(self, kind: int, offset: int = 0, data: bytes | memoryview = b"") -> None:
        if self._publisher is not None:
            self._publisher.publish(HEADER.pack(kind, self._to, self._ident, offset), data)

    def _data_received(self, offset: int, data: memoryview) -> None:
        if offset != self._received:
            # A policy, or an administrator, had the broker drop messages.
            self.end(LinkError("the broker lost a part of the link"), tell=True)
            return
        self._received += len(data)
        try:
            self.receiver.data_received(data.tobytes())
        except Exception as exc:
            # As asyncio does with its own connections; but this one has other links on it.
            self._loop.call_exception_handler({"message": "a link's receiver failed", "exception": exc})
            self.end(exc, tell=True)
        if self._received - self._credited >= _CREDIT_STEP and not self._broken:
            self._credited = self._received
            self._send(CREDIT, self._received)

    # -- the end

    def _end_soon(self, error: Exception | None = None) -> None:
        """Break the link after a delay: what the other side sent may still be on its way."""
        if self._ending is None and not self._broken:
            self._ending = self._loop.call_later(_ARRIVAL_DELAY, self.end, error)

    def _conclude(self, error: Exception | None) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.conclude(lambda gone: self._conclude(gone or error), wait=not self._closing)
        elif self._withdrawn is None:
            self.receiver.link_broken(error)
        else:
            self._withdrawn.set_result(None)
