"""A process's connection to a broker, which all its links, listeners and inboxes for one URL share.

aiormq opens it and its channels, AmqpProtocol carries its messages.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from ...exceptions import LinkError
from ...features import optional_package
from ...system import ProcessId
from .calls import best_effort, ignore_message, translated_errors
from .key import BrokerKey
from .link_messages import ABORT, ACCEPT, HEADER, TO_SERVER, Introduction
from .protocol import AmqpProtocol, BasicPublish, ChannelUser
from .url import BrokerUrl

if TYPE_CHECKING:
    from .link import AmqpLink

logger = logging.getLogger("communica_like")

_CONNECT_TIMEOUT: Final = 10.0  # seconds
_CLOSE_TIMEOUT: Final = 1.0  # seconds for each step of closing
_CHECK_INTERVAL: Final = 2.5  # seconds; a broker that is silent for three or four of them is given up
_DEFAULT_EXCHANGE: Final = "amq.direct"
_NO_SHARED_TRANSIENT: Final = (4, 3)  # the first version of RabbitMQ without such queues
_NO_QUEUE: Final = "communica_like.nowhere"  # a routing key: the broker returns what is sent there
_ECHO: Final = HEADER.pack(0, 0, bytes(16), 0)

_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[BrokerKey, Connection]]
_connections = WeakKeyDictionary()


async def acquire(key: BrokerKey) -> Connection:
    """Return this event loop's connection, with a reference that ``drop`` ends.

    Raises:
        FeatureNotAvailable: aiormq is not installed.
        LinkError: the connection failed, or the broker takes no messages; the message says why.

    If it is cancelled it closes the connection, unless that has other users.
    """
    optional_package("aiormq", "rmq")
    connections = _connections.setdefault(asyncio.get_running_loop(), {})
    if key not in connections:
        connections[key] = Connection(key)
    connection = connections[key]
    connection.hold()
    try:
        await asyncio.shield(connection.opening)
        if reason := connection.end_reason or connection.blocked_reason:
            raise LinkError(reason)
    except BaseException:
        await connection.drop()
        raise
    return connection


class Connection(AmqpProtocol, ChannelUser):
    """A connection to a broker, opened once and closed once. A lost one is replaced by another object.

    It has an inbox, an exclusive queue for the messages of its links.

    Attributes:
        url: the broker.
        exchange: carries all messages.
        opening: done when the connection is open.
        end_reason: why the connection is closed or about to be; empty: it is neither.
        blocked_reason: why the broker takes no messages; empty: it does.
        identity: how this process introduces itself to peers, and its inbox.
        links: ends of links by their keys.
        writable: whether links may write.
        on_lost: called with the reason when the connection is lost.
    """

    def __init__(self, key: BrokerKey) -> None:
        super().__init__(asyncio.get_running_loop())
        self._key = key
        self._references = 0
        self._aiormq: Any = None
        self._publishing: Any = None  # the channel on which links publish
        self._closing: asyncio.Task[None] | None = None
        self._checking: asyncio.TimerHandle | None = None
        self._checked_reads = 0
        self._unanswered = 0
        self.url = key.url
        self.exchange = key.exchange or _DEFAULT_EXCHANGE
        self.end_reason = ""
        self.blocked_reason = ""
        inbox = f"communica_like.inbox.{secrets.token_hex(16)}"
        self.identity = Introduction(inbox, key.name, _machine(), ProcessId.own())
        self.links: dict[bytes, AmqpLink] = {}
        self.writable = True
        self.on_lost: set[Callable[[str], None]] = set()
        self.opening = self._loop.create_task(self._open(), name=f"{self!r} opens")

    def __repr__(self) -> str:
        return f"<Connection {self.url.place}>"

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

    async def _open(self) -> None:
        """Connect; open a channel to publish on, and one that consumes the inbox."""
        inbox = self.identity.inbox
        try:
            url = await self._key.find_node()
            with translated_errors(f"no connection to the broker at {url.place}"):
                async with asyncio.timeout(_CONNECT_TIMEOUT):
                    await self._connect(url)
                    publishing, consuming = await self.new_channel(self), await self.new_channel(self)
                    await self.declare_exchange(consuming)
                    await consuming.queue_declare(inbox, exclusive=True, auto_delete=True)
                    await consuming.queue_bind(inbox, self.exchange, inbox)
                    await consuming.basic_consume(inbox, ignore_message, no_ack=True, exclusive=True)
                    self._publishing = publishing
        except BaseException as exc:
            lost = self.end_reason
            self._end("it could not be opened")
            if lost and self._references and isinstance(exc, asyncio.CancelledError):
                raise LinkError(f"no connection to the broker at {self.url.place}: {lost}") from None
            raise
        if not self.end_reason:
            self._checking = self._loop.call_later(_CHECK_INTERVAL, self._check)

    async def _connect(self, url: BrokerUrl) -> None:
        key, aiormq = self._key, optional_package("aiormq", "rmq")
        properties = {"connection_name": key.name}
        connection = aiormq.Connection(
            url.text(key.password), context=key.ssl, transport_factory=self, client_properties=properties
        )
        context = None
        if url.scheme == "amqps":
            options = {"ssl_context": key.ssl, "ssl_certs": connection.ssl_certs, "loop": self._loop}
            context = await aiormq.connection.SSLContextProvider(**options).get_context()
        await self._loop.create_connection(lambda: self, url.host, url.port, ssl=context)
        self._aiormq = connection
        await connection.connect()

    def _end(self, reason: str) -> None:
        """Close the connection, and leave its place to another one."""
        if self.end_reason:
            return
        self.end_reason = reason
        if self._checking is not None:
            self._checking.cancel()
        del _connections[self._loop][self._key]
        self._closing = self._loop.create_task(self._close(), name=f"{self!r} closes")

    async def _close(self) -> None:
        """Close the connection, in three seconds at most."""
        self.opening.cancel()
        await asyncio.gather(self.opening, return_exceptions=True)
        if self._aiormq is None:
            return
        if self._publishing is not None and not self._references:
            # The broker has processed what was published when it confirms this.
            await best_effort(self._publishing.close(), _CLOSE_TIMEOUT)
        closing = asyncio.ensure_future(self._aiormq.close())
        await asyncio.wait([closing], timeout=_CLOSE_TIMEOUT)
        self.transport.abort()
        await asyncio.wait([closing, self.closed], timeout=_CLOSE_TIMEOUT)
        closing.cancel()
        for error in await asyncio.gather(closing, return_exceptions=True):
            if isinstance(error, Exception):
                logger.debug("error while closing the connection to %s: %s", self.url.place, error)

    def _check(self) -> None:
        """Publish to no queue: a broker that is alive returns the message at once.

        AMQP's own heartbeats come once a minute or so.
        """
        self._checking = self._loop.call_later(_CHECK_INTERVAL, self._check)
        if self._reads != self._checked_reads or self.blocked_reason:
            self._checked_reads = self._reads
            self._unanswered = 0
        elif self._unanswered == 2:
            # Checks are counted, not seconds: this process's event loop may have been blocked.
            self.lost(f"the broker at {self.url.place} is silent")
        else:
            self._unanswered += 1
            self.publisher(_NO_QUEUE, mandatory=True).publish(_ECHO, b"")

    # -- channels

    async def new_channel(self, user: ChannelUser | None = None) -> Any:
        """Open a channel and return it, aiormq's. *user* receives its messages.

        Raises:
            LinkError: the connection has as many channels as the broker allows.
            Exception: what aiormq raises.
        """
        most = self._aiormq.connection_tune.channel_max
        if most and len(self._aiormq.channels.keys() - {0}) >= most:
            # The broker would close the connection, which others use.
            raise LinkError(f"the connection to the broker has {most} channels, and may have no more")
        channel = await self._aiormq.channel(publisher_confirms=False)
        if user is not None:
            self.add_channel(channel.number, user)
        return channel

    async def close_channel(self, channel: Any) -> None:
        """Close a channel, if it is open, with a timeout of a second, and free its number."""
        if not channel.is_closed:
            await best_effort(channel.close(), _CLOSE_TIMEOUT)
        self.discard_channel(channel.number)

    def publisher(self, key: str, *, mandatory: bool, channel: Any = None) -> BasicPublish:
        """Return what publishes messages with a routing key.

        Args:
            mandatory: have the broker return messages that no queue takes.
            channel: where to publish; None: where all links do.
        """
        number, frame_max = (channel or self._publishing).number, self._aiormq.connection_tune.frame_max
        return BasicPublish(self, number, frame_max, self.exchange, key, mandatory)

    # -- queues and exchanges

    @property
    def allows_shared_transient(self) -> bool:
        """Whether several connections may use one transient queue: RabbitMQ before 4.3."""
        version = re.match(r"(\d+)\.(\d+)", str(self._aiormq.server_properties.get("version", "")))
        return version is None or (int(version[1]), int(version[2])) < _NO_SHARED_TRANSIENT

    async def declare_exchange(self, channel: Any) -> None:
        """Declare the exchange, auto-delete, if it is missing."""
        if not self._key.exchange:
            return
        aiormq = optional_package("aiormq", "rmq")
        probe = await self.new_channel()  # the broker closes it if there is no such exchange
        try:
            await probe.exchange_declare(self.exchange, passive=True)
        except aiormq.exceptions.ChannelNotFoundEntity:
            await channel.exchange_declare(self.exchange, exchange_type="direct", auto_delete=True)
        else:
            await probe.close()

    # -- events of the protocol

    def lost(self, reason: str) -> None:
        if self.end_reason:
            return
        self._end(reason)
        for link in list(self.links.values()):
            link.end(LinkError(reason))
        for report in list(self.on_lost):
            report(reason)

    def channel_closed(self, reason: str) -> None:
        self.lost(f"the broker closed a channel: {reason}")

    def blocked(self, reason: str) -> None:
        if not reason:
            self.blocked_reason = ""
            logger.info("the broker at %s takes messages again", self.url.place)
            return
        self.blocked_reason = f"the broker at {self.url.place} takes no messages: {reason}"
        logger.warning("%s", self.blocked_reason)
        for link in list(self.links.values()):
            if not link.opened.done():
                link.opened.set_exception(LinkError(self.blocked_reason))

    def pause_writing(self) -> None:
        super().pause_writing()
        self.writable = False

    def resume_writing(self) -> None:
        super().resume_writing()
        self.writable = True
        for link in list(self.links.values()):
            link.write()

    def returned(self, body: bytes) -> None:
        _, to, ident, _ = HEADER.unpack_from(body)
        link = self.links.get(bytes([1 - to]) + ident)
        if link is not None:
            link.message_returned()

    def delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        link = self.links.get(body[1:18])
        if link is not None and len(body) >= HEADER.size:
            kind, _, _, offset = HEADER.unpack_from(body)
            link.message_received(kind, offset, memoryview(body)[HEADER.size :])
        elif found := Introduction.find(body, ACCEPT):
            # The client gave up before the server accepted.
            ident, server = found
            abort = HEADER.pack(ABORT, TO_SERVER, ident, 0)
            self.publisher(server.inbox, mandatory=False).publish(abort, b"")


def _machine() -> str:
    """Return an id of this machine since it was booted; empty: unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
