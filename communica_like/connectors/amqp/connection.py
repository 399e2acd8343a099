"""One AMQP connection: aiormq opens it and its channels, AmqpProtocol carries its messages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Final

from ...exceptions import LinkError
from ...features import optional_package
from .protocol import AmqpProtocol, BasicPublish, ChannelUser, ConnectionUser
from .url import BrokerUrl

logger = logging.getLogger("communica_like")

_CONNECT_TIMEOUT: Final = 10.0  # seconds
_PROBE_TIMEOUT: Final = 2.0  # seconds for a node to answer, if there are others
_CLOSE_TIMEOUT: Final = 1.0  # seconds for each step of closing
_STREAM_LIMIT: Final = 64 * 1024  # bytes
_DEFAULT_EXCHANGE: Final = "amq.direct"
_NO_SHARED_TRANSIENT: Final = (4, 3)  # the first version of RabbitMQ without such queues


@dataclass(frozen=True, slots=True)
class BrokerKey:
    """The identity of a connection: users with equal keys share one.

    Attributes:
        url: the broker.
        password: the user's; None: the broker's default.
        ssl: for amqps; None: as the URL's options say.
        name: what the broker calls the connection.
        exchange: carries all messages; empty: one that every broker has.
        others: other nodes of the cluster, for when the first cannot be reached.
    """

    url: BrokerUrl
    password: str | None = field(repr=False)
    ssl: SSLContext | None
    name: str
    exchange: str
    others: tuple[BrokerUrl, ...] = ()


class AmqpConnection:
    """A connection to a broker, opened once and closed once.

    Args:
        key: the broker, and the user to connect as.
        user: receives the connection's events, also during ``close``.

    Attributes:
        protocol: what carries the bytes.
    """

    def __init__(self, key: BrokerKey, user: ConnectionUser) -> None:
        self._key = key
        self._aiormq: Any = None
        self._publishing: Any = None  # the channel on which links publish
        self._connected = False
        self._exchange = key.exchange or _DEFAULT_EXCHANGE
        self._loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(_STREAM_LIMIT, loop=self._loop)
        self.protocol = AmqpProtocol(self._reader, user)

    # -- opening and closing

    async def open(self, queue: str, user: ChannelUser) -> None:
        """Connect; open a channel to publish on, and one that consumes a queue.

        Args:
            queue: the name, and the routing key, of an exclusive queue.
            user: receives the queue's messages, and those that are returned.

        Raises:
            LinkError: there is no connection; the message says why.
        """
        url = await self._find_node() if self._key.others else self._key.url
        with translated_errors(f"no connection to the broker at {url.place}"):
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await self._connect(url)
                publishing, consuming = await self.new_channel(user), await self.new_channel(user)
                await self.declare_exchange(consuming)
                await consuming.queue_declare(queue, exclusive=True, auto_delete=True)
                await self.bind(consuming, queue, queue)
                await consuming.basic_consume(queue, ignore_message, no_ack=True, exclusive=True)
                self._publishing = publishing

    async def _find_node(self) -> BrokerUrl:
        """Return the first node that answers as a broker does, or the last one."""
        urls = (self._key.url, *self._key.others)
        for url in urls[:-1]:
            try:
                async with asyncio.timeout(_PROBE_TIMEOUT):
                    if await _is_broker(url):
                        return url
            except OSError as exc:  # TimeoutError is one
                logger.info("no broker at %s: %s", url.place, exc or "no answer")
        return urls[-1]

    async def _connect(self, url: BrokerUrl) -> None:
        key = self._key
        aiormq = optional_package("aiormq", "rmq")
        self._aiormq = aiormq.Connection(
            url.text(key.password),
            context=key.ssl,
            transport_factory=self,
            client_properties={"connection_name": key.name},
        )
        context = None
        if url.scheme == "amqps":
            context = key.ssl or await _context(aiormq, self._aiormq)
        await self._loop.create_connection(lambda: self.protocol, url.host, url.port, ssl=context)
        self._connected = True
        await self._aiormq.connect()

    async def create(self, url: Any, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection's streams to aiormq, whose transport factory this is."""
        protocol = self.protocol
        return self._reader, asyncio.StreamWriter(protocol.transport, protocol, self._reader, self._loop)

    async def close(self, *, orderly: bool) -> None:
        """Close the connection, in three seconds at most.

        Args:
            orderly: wait until the broker has processed what was published.
        """
        if not self._connected:
            return
        protocol = self.protocol
        if orderly and self._publishing is not None:
            with contextlib.suppress(LinkError), translated_errors("the channel was not closed"):
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._publishing.close()
        closing = asyncio.ensure_future(self._aiormq.close())
        await asyncio.wait([closing], timeout=_CLOSE_TIMEOUT)
        protocol.transport.abort()
        await asyncio.wait([closing, protocol.closed], timeout=_CLOSE_TIMEOUT)
        if not closing.done():
            closing.cancel()
            await asyncio.wait([closing])
        if not closing.cancelled() and (error := closing.exception()) is not None:
            logger.debug("error while closing the connection to %s: %s", self._key.url.place, error)

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
            self.protocol.add_channel(channel.number, user)
        return channel

    def discard_channel(self, channel: Any) -> None:
        """Free the number of a closed channel for the next one."""
        self.protocol.discard_channel(channel.number)

    async def close_channel(self, channel: Any) -> None:
        """Close a channel, if it is open, with a timeout of a second."""
        if not channel.is_closed:
            await best_effort(channel.close(), _CLOSE_TIMEOUT)
        self.discard_channel(channel)

    # -- messages

    def publisher(self, key: str, *, mandatory: bool, channel: Any = None) -> BasicPublish:
        """Return what publishes messages with a routing key.

        Args:
            mandatory: have the broker return messages that no queue takes.
            channel: where to publish; None: where all links do.
        """
        return BasicPublish(
            self.protocol.transport,
            (channel or self._publishing).number,
            self._aiormq.connection_tune.frame_max,
            self._exchange,
            key,
            mandatory=mandatory,
        )

    def write(self, frames: bytes) -> None:
        """Write frames, unless the connection is closing."""
        if not self.protocol.transport.is_closing():
            self.protocol.transport.write(frames)

    # -- queues and exchanges

    @property
    def allows_shared_transient(self) -> bool:
        """Whether several connections may use one transient queue: RabbitMQ before 4.3."""
        version = re.match(r"(\d+)\.(\d+)", str(self._aiormq.server_properties.get("version", "")))
        return version is None or (int(version[1]), int(version[2])) < _NO_SHARED_TRANSIENT

    async def bind(self, channel: Any, queue: str, key: str) -> None:
        """Bind a queue to the exchange: route messages with the routing key *key* to it."""
        await channel.queue_bind(queue, self._exchange, key)

    async def unbind(self, channel: Any, queue: str, key: str) -> None:
        """Remove what ``bind`` made."""
        await channel.queue_unbind(queue, self._exchange, key)

    async def declare_exchange(self, channel: Any) -> None:
        """Declare the exchange, auto-delete, if it is missing."""
        if not self._key.exchange:
            return
        aiormq = optional_package("aiormq", "rmq")
        probe = await self.new_channel()  # the broker closes it if there is no such exchange
        try:
            await probe.exchange_declare(self._exchange, passive=True)
        except aiormq.exceptions.ChannelNotFoundEntity:
            await channel.exchange_declare(self._exchange, exchange_type="direct", auto_delete=True)
        else:
            await probe.close()


async def _is_broker(url: BrokerUrl) -> bool:
    """Return whether a node answers. One that is starting only accepts connections."""
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        if url.scheme == "amqps":
            return True
        writer.write(b"AMQP\x00\x00\x09\x01")
        return await reader.read(1) != b""
    finally:
        writer.transport.abort()


async def ignore_message(message: Any) -> None:
    """Do nothing: a consumer's callback, to which AmqpProtocol lets no message pass."""


@contextlib.contextmanager
def translated_errors(text: str) -> Iterator[None]:
    """Raise LinkError, *text* and the reason, for aiormq's errors and TimeoutError."""
    aiormq = optional_package("aiormq", "rmq")
    pamqp = optional_package("pamqp.exceptions", "rmq")
    try:
        yield
    except TimeoutError as exc:
        raise LinkError(f"{text}: the broker does not answer") from exc
    except (OSError, aiormq.exceptions.AMQPError, pamqp.PAMQPException, RuntimeError) as exc:
        reason = " ".join(str(part) for part in exc.args) or type(exc).__name__
        raise LinkError(f"{text}: {reason}") from exc
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # This task was not cancelled: aiormq reports a lost connection so.
        raise LinkError(f"{text}: the connection to the broker broke") from exc


_running: set[asyncio.Future[Any]] = set()


async def best_effort(doing: Coroutine[Any, Any, Any], timeout: float) -> None:
    """Run *doing* with a timeout in seconds and ignore its failure.

    After the timeout, or a cancellation, *doing* goes on by itself. aiormq closes the channel of a call that
    is cancelled, and if that channel was closing already, the broker closes the connection, which others use.
    """
    task = asyncio.ensure_future(doing)
    _running.add(task)
    task.add_done_callback(_finished)
    await asyncio.wait([task], timeout=timeout)


def _finished(task: asyncio.Future[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("error while closing a channel: %r", error)


async def _context(aiormq: Any, connection: Any) -> SSLContext:
    provider = aiormq.connection.SSLContextProvider(
        ssl_context=None, ssl_certs=connection.ssl_certs, loop=asyncio.get_running_loop()
    )
    context: SSLContext = await provider.get_context()
    return context
