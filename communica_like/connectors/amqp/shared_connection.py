"""A process's connection to a broker, which all its links and listeners for one URL share."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from ...exceptions import LinkError
from ...features import optional_package
from ...system import ProcessId
from .connection import AmqpConnection, BrokerKey
from .link_messages import ABORT, HEADER, KNOCK, TO_SERVER, WELCOME, Introduction

__all__ = ["Carried", "Server", "SharedConnection", "acquire", "blocked_error"]

logger = logging.getLogger("communica_like")

_TICK: Final = 2.5  # seconds; a broker that is silent for three or four of them is given up
_NOWHERE: Final = "communica_like.nowhere"
_ECHO: Final = HEADER.pack(0, 0, bytes(16), 0)


class Carried(Protocol):
    """A link's end, as the connection that carries it knows it.

    Attributes:
        opened: done when both ends are there.
    """

    opened: asyncio.Future[None]

    def take(self, kind: int, offset: int, data: memoryview, /) -> None:
        """A message for it arrived."""

    def returned(self) -> None:
        """A message from it came back."""

    def write(self) -> None:
        """There may be room."""

    def end(self, error: Exception | None, /) -> None:
        """It is broken."""


class Server(Protocol):
    """Whoever lets clients in."""

    def knocked(self, ident: bytes, introduction: Introduction, /) -> None:
        """A client asks for a link."""

    def connection_lost(self, reason: str, /) -> None:
        """The connection is over."""


_brokers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[BrokerKey, SharedConnection]]
_brokers = WeakKeyDictionary()


async def acquire(key: BrokerKey) -> SharedConnection:
    """Return the connection of this event loop, opened if it has to be. ``release`` it in the end.

    Raises:
        FeatureNotAvailable: aiormq is not installed.
        LinkError: there is no connection to be had, or it takes no messages; the message says why.

    If it is cancelled, and nobody else uses the connection, it is closed.
    """
    optional_package("aiormq", "rmq")
    brokers = _brokers.setdefault(asyncio.get_running_loop(), {})
    broker = brokers.get(key)
    if broker is None:
        broker = brokers[key] = SharedConnection(key, brokers)
    broker.hold()
    try:
        await asyncio.shield(broker.opening)
        if broker.why_blocked:
            raise blocked_error(broker)
    except BaseException:
        closing = broker.release()
        if closing is not None:
            await asyncio.shield(closing)
        raise
    return broker


class SharedConnection:
    """A connection to a broker, from its beginning to its end: there is no second one in its place.

    It has an inbox, a queue that only this connection may read, and that goes with it.

    Attributes:
        connection: what it does its work with.
        opening: done when it is open.
        inbox: its inbox, and the routing key of it.
        links, servers: what uses it: links by their keys, servers by their ids.
        has_room: whether links may write.
        why_blocked: why the broker takes no messages; empty: it does.
        machine, process: what the other sides are told of this process.
        scheme, place: of the URL, for people.
    """

    def __init__(self, key: BrokerKey, others: dict[BrokerKey, SharedConnection]) -> None:
        self._key = key
        self._others = others
        self._loop = asyncio.get_running_loop()
        self._users = 0
        self._over = ""
        self._closing: asyncio.Task[None] | None = None
        self.inbox = f"communica_like.abc.inbox.{secrets.token_hex(16)}"
        self.connection = AmqpConnection(key, self)
        self.links: dict[bytes, Carried] = {}
        self.servers: dict[str, Server] = {}
        self.has_room = True
        self.why_blocked = ""
        self.machine = _machine()
        self.process = ProcessId.own()
        self.scheme = key.url.scheme
        self.place = key.url.place
        self.opening: asyncio.Task[None] = self._loop.create_task(self._open(), name=f"{self!r} opens")
        self.opening.add_done_callback(self._opened)
        self._reads = 0
        self._unanswered = 0
        self._ticker: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<SharedConnection {self.place}>"

    @property
    def over(self) -> bool:
        """Whether it is closed, or about to be."""
        return bool(self._over)

    # -- users

    def hold(self) -> None:
        """There is one more who uses it."""
        self._users += 1

    def release(self) -> asyncio.Task[None] | None:
        """Somebody uses it no longer. Return the task that closes it, if nobody does."""
        self._users -= 1
        if not self._users:
            self._end("nobody uses it")
        return self._closing if not self._users else None

    def introduction(self, server: str = "") -> Introduction:
        """Return what other sides are told."""
        return Introduction(self.inbox, self._key.name, self.machine, self.process, server)

    # -- opening and closing

    def _opened(self, opening: asyncio.Task[None]) -> None:
        if opening.cancelled() or opening.exception() is not None:
            self._end("it could not be opened")
        elif not self._over:
            self._ticker = self._loop.call_later(_TICK, self._tick)

    async def _open(self) -> None:
        try:
            await self.connection.open(self.inbox, self)
        except asyncio.CancelledError:
            # aiormq's way to say that the connection broke; or it is nobody's any more.
            if self._over and self._users:
                raise LinkError(f"no connection to the broker at {self.place}: {self._over}") from None
            raise

    def _end(self, reason: str) -> None:
        """From now on it is of no use."""
        if self._over:
            return
        self._over = reason
        if self._ticker is not None:
            self._ticker.cancel()
        if self._others.get(self._key) is self:
            del self._others[self._key]
        self._closing = self._loop.create_task(self._close(), name=f"{self!r} closes")

    async def _close(self) -> None:
        if not self.opening.done():
            self.opening.cancel()
            await asyncio.wait([self.opening])
        await self.connection.close(orderly=not self._users)

    def _tick(self) -> None:
        """Make sure that the broker is there: what no queue takes, it returns at once.

        Its own heartbeats come once a minute or so.
        """
        self._ticker = self._loop.call_later(_TICK, self._tick)
        protocol = self.connection.protocol
        assert protocol is not None
        if protocol.reads != self._reads or self.why_blocked:
            self._reads = protocol.reads
            self._unanswered = 0
        elif self._unanswered == 2:
            # Ticks, and not seconds, for this side's own event loop may have stood still.
            self.connection_lost(f"the broker at {self.place} is silent")
        else:
            self._unanswered += 1
            self.connection.publisher(_NOWHERE, mandatory=True).publish(_ECHO, b"")

    # -- the connection's reports

    def connection_lost(self, reason: str) -> None:
        if self._over:
            return
        self._end(reason)
        error = LinkError(reason)
        for link in list(self.links.values()):
            link.end(error)
        for server in list(self.servers.values()):
            server.connection_lost(reason)

    def channel_closed(self, reason: str) -> None:
        self.connection_lost(f"the broker closed a channel: {reason}")

    def blocked(self, reason: str) -> None:
        self.why_blocked = reason
        if reason:
            logger.warning("the broker at %s takes no messages: %s", self.place, reason)
            for link in list(self.links.values()):
                if not link.opened.done():
                    link.opened.set_exception(blocked_error(self))
        else:
            logger.info("the broker at %s takes messages again", self.place)

    def room(self, there_is: bool) -> None:
        self.has_room = there_is
        if there_is:
            for link in list(self.links.values()):
                link.write()

    def message(self, body: bytes, returned: bool) -> None:
        if len(body) < HEADER.size:
            logger.warning("something in an inbox at %s was ignored: %d bytes", self.place, len(body))
            return
        kind, to, ident, offset = HEADER.unpack_from(body)
        if returned:
            link = self.links.get(bytes([(1 - to) & 1]) + ident)
            if link is not None:
                link.returned()
            return
        link = self.links.get(body[1:18])
        if link is not None:
            link.take(kind, offset, memoryview(body)[HEADER.size :])
        elif kind == KNOCK:
            self.knock(body, None)
        elif kind == WELCOME:
            self._turn_down(ident, body)

    def knock(self, body: bytes, server: Server | None) -> None:
        """A client asks for a link: of *server*, or of the one that it names."""
        try:
            if len(body) < HEADER.size:
                raise ValueError(f"{len(body)} bytes")
            kind, to, ident, _ = HEADER.unpack_from(body)
            if (kind, to) != (KNOCK, TO_SERVER):
                raise ValueError("no knock")
            introduction = Introduction.decode(body[HEADER.size :])
        except ValueError as exc:
            logger.warning("a client at %s was not let in: %s", self.place, exc)
            return
        server = server or self.servers.get(introduction.server)
        if server is not None and body[1:18] not in self.links:
            server.knocked(ident, introduction)

    def _turn_down(self, ident: bytes, body: bytes) -> None:
        """A server gives a link that nobody waits for any more."""
        try:
            introduction = Introduction.decode(body[HEADER.size :])
        except ValueError:
            return
        self.connection.publisher(introduction.inbox, mandatory=False).publish(
            HEADER.pack(ABORT, TO_SERVER, ident, 0), b""
        )


def blocked_error(broker: SharedConnection) -> LinkError:
    """Return what those are told who need a broker that takes no messages."""
    return LinkError(f"the broker at {broker.place} takes no messages: {broker.why_blocked}")


def _machine() -> str:
    """Return which machine this is, since when it runs; empty where that cannot be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
