"""A process's connection to a broker, which all its links, listeners and inboxes for one URL share."""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from ...exceptions import LinkError
from ...features import optional_package
from ...system import ProcessId
from .connection import AmqpConnection, BrokerKey
from .link_messages import ABORT, ACCEPT, CONNECT, HEADER, TO_CLIENT, TO_SERVER, Introduction
from .protocol import ChannelUser

logger = logging.getLogger("communica_like")

_CHECK_INTERVAL: Final = 2.5  # seconds; a broker that is silent for three or four of them is given up
_NO_QUEUE: Final = "communica_like.nowhere"  # a routing key: the broker returns what is sent there
_ECHO: Final = HEADER.pack(0, 0, bytes(16), 0)


class LinkEnd(Protocol):
    """A link's end, as the connection that carries it knows it.

    Attributes:
        opened: done when both ends are there.
    """

    opened: asyncio.Future[None]

    def message_received(self, kind: int, offset: int, data: memoryview, /) -> None:
        """A message for the link arrived."""

    def message_returned(self) -> None:
        """A message from the link came back: no queue takes it."""

    def write(self) -> None:
        """Write what the connection has room for."""

    def end(self, error: Exception | None, /) -> None:
        """Break the link."""


Accept = Callable[[bytes, Introduction], None]
"""Called with a link's id and its client when a client asks for a link."""

_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[BrokerKey, SharedConnection]]
_connections = WeakKeyDictionary()


async def acquire(key: BrokerKey) -> SharedConnection:
    """Return this event loop's connection, with a reference that ``drop`` ends.

    Raises:
        FeatureNotAvailable: aiormq is not installed.
        LinkError: the connection failed, or the broker takes no messages; the message says why.

    If it is cancelled it closes the connection, unless that has other users.
    """
    optional_package("aiormq", "rmq")
    connections = _connections.setdefault(asyncio.get_running_loop(), {})
    connection = connections.get(key)
    if connection is None:
        connection = connections[key] = SharedConnection(key, connections)
    connection.hold()
    try:
        await asyncio.shield(connection.opening)
        if connection.blocked_reason:
            raise blocked_error(connection)
    except BaseException:
        await connection.drop()
        raise
    return connection


def blocked_error(connection: SharedConnection) -> LinkError:
    """Return the error for a broker that takes no messages."""
    return LinkError(f"the broker at {connection.place} takes no messages: {connection.blocked_reason}")


class SharedConnection(ChannelUser):
    """A connection to a broker. A lost one is replaced by another object.

    It has an inbox, an exclusive queue for the messages of its links.

    Attributes:
        amqp: the connection itself.
        opening: done when the connection is open.
        inbox: the inbox's name, and its routing key.
        links: ends of links by their keys.
        servers: what accepts links, by the ids of servers.
        on_lost: called with the reason when the connection is lost.
        writable: whether links may write.
        blocked_reason: why the broker takes no messages; empty: it does.
        identity: how this process introduces itself to peers.
        scheme, place: of the URL, for people.
    """

    def __init__(self, key: BrokerKey, others: dict[BrokerKey, SharedConnection]) -> None:
        self._key = key
        self._others = others
        self._loop = asyncio.get_running_loop()
        self._references = 0
        self._end_reason = ""
        self._closing: asyncio.Task[None] | None = None
        self.inbox = f"communica_like.inbox.{secrets.token_hex(16)}"
        self.amqp = AmqpConnection(key, self)
        self.links: dict[bytes, LinkEnd] = {}
        self.servers: dict[str, Accept] = {}
        self.on_lost: set[Callable[[str], None]] = set()
        self.writable = True
        self.blocked_reason = ""
        self.identity = Introduction(self.inbox, key.name, _machine(), ProcessId.own())
        self.scheme = key.url.scheme
        self.place = key.url.place
        self.opening: asyncio.Task[None] = self._loop.create_task(self._open(), name=f"{self!r} opens")
        self.opening.add_done_callback(self._opened)
        self._reads = 0
        self._unanswered = 0
        self._checking: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<SharedConnection {self.place}>"

    @property
    def ended(self) -> bool:
        """Whether the connection is closed or about to be."""
        return bool(self._end_reason)

    # -- references

    def hold(self) -> None:
        """Add a reference."""
        self._references += 1

    def release(self) -> asyncio.Task[None] | None:
        """Drop a reference; with the last one close, and return the closing task."""
        self._references -= 1
        if self._references:
            return None
        self._end("unused")
        return self._closing

    async def drop(self) -> None:
        """Drop a reference; with the last one close. A cancellation waits for it, too."""
        closing = self.release()
        if closing is not None:
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                await asyncio.wait([closing])
                raise

    # -- opening and closing

    def _opened(self, opening: asyncio.Task[None]) -> None:
        if opening.cancelled() or opening.exception() is not None:
            self._end("it could not be opened")
        elif not self.ended:
            self._checking = self._loop.call_later(_CHECK_INTERVAL, self._check)

    async def _open(self) -> None:
        try:
            await self.amqp.open(self.inbox, self)
        except asyncio.CancelledError:
            # aiormq reports a lost connection so; or the last user dropped its reference.
            if self.ended and self._references:
                raise LinkError(f"no connection to the broker at {self.place}: {self._end_reason}") from None
            raise

    def _end(self, reason: str) -> None:
        """Close the connection, and leave its place to another one."""
        if self.ended:
            return
        self._end_reason = reason
        if self._checking is not None:
            self._checking.cancel()
        if self._others.get(self._key) is self:
            del self._others[self._key]
        self._closing = self._loop.create_task(self._close(), name=f"{self!r} closes")

    async def _close(self) -> None:
        if not self.opening.done():
            self.opening.cancel()
            await asyncio.wait([self.opening])
        await self.amqp.close(orderly=not self._references)

    def _check(self) -> None:
        """Publish to no queue: a broker that is alive returns the message at once.

        AMQP's own heartbeats come once a minute or so.
        """
        self._checking = self._loop.call_later(_CHECK_INTERVAL, self._check)
        reads = self.amqp.protocol.reads
        if reads != self._reads or self.blocked_reason:
            self._reads = reads
            self._unanswered = 0
        elif self._unanswered == 2:
            # Checks are counted, not seconds: this process's event loop may have been blocked.
            self.connection_lost(f"the broker at {self.place} is silent")
        else:
            self._unanswered += 1
            self.amqp.publisher(_NO_QUEUE, mandatory=True).publish(_ECHO, b"")

    # -- events of the connection

    def connection_lost(self, reason: str) -> None:
        if self.ended:
            return
        self._end(reason)
        error = LinkError(reason)
        for link in list(self.links.values()):
            link.end(error)
        for report in list(self.on_lost):
            report(reason)

    def channel_closed(self, reason: str) -> None:
        self.connection_lost(f"the broker closed a channel: {reason}")

    def blocked(self, reason: str) -> None:
        self.blocked_reason = reason
        if reason:
            logger.warning("the broker at %s takes no messages: %s", self.place, reason)
            for link in list(self.links.values()):
                if not link.opened.done():
                    link.opened.set_exception(blocked_error(self))
        else:
            logger.info("the broker at %s takes messages again", self.place)

    def writable_changed(self, writable: bool) -> None:
        self.writable = writable
        if writable:
            for link in list(self.links.values()):
                link.write()

    def returned(self, method: bytes, body: bytes) -> None:
        _, to, ident, _ = HEADER.unpack_from(body)
        link = self.links.get(bytes([(1 - to) & 1]) + ident)
        if link is not None:
            link.message_returned()

    def delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        self.handle_message(body)

    def handle_message(self, body: bytes, accept: Accept | None = None) -> None:
        """Give a message to its link, or a client's request for a link to a server.

        Args:
            accept: of the server that the request was sent to; None: of the one that it names.
        """
        link = self.links.get(body[1:18])
        introduction = None
        try:
            kind, to, ident, offset = HEADER.unpack_from(body)
            payload = memoryview(body)[HEADER.size :]
            if link is None and kind in (CONNECT, ACCEPT):
                introduction = Introduction.decode(bytes(payload))
        except (ValueError, struct.error) as exc:
            logger.warning("ignored a malformed message at %s: %s", self.place, exc)
            return
        if link is not None:
            link.message_received(kind, offset, payload)
        elif introduction is None:
            return
        elif (kind, to) == (CONNECT, TO_SERVER):
            accept = accept or self.servers.get(introduction.server)
            if accept is not None:
                accept(ident, introduction)
        elif (kind, to) == (ACCEPT, TO_CLIENT):
            # The client gave up before the server accepted.
            abort = HEADER.pack(ABORT, TO_SERVER, ident, 0)
            self.amqp.publisher(introduction.inbox, mandatory=False).publish(abort, b"")


def _machine() -> str:
    """Return an id of this machine since it was booted; empty: unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
