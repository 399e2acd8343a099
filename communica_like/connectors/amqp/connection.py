"""aiormq's connection, what is below it, and the channels that messages travel on."""

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
from .protocol import AmqpProtocol, BasicPublish, ChannelUser, ConnectionUser, DeliveryUser
from .url import BrokerUrl

__all__ = ["AmqpConnection", "BrokerKey", "give_time", "ignore_message", "no_aiormq_errors"]

logger = logging.getLogger("communica_like")

_PATIENCE: Final = 10.0  # seconds to open a connection
_PROBE: Final = 2.0  # seconds for a node to answer, if there are others
_LEAVE: Final = 1.0  # seconds to close one in an orderly way, and again
_STREAM_LIMIT: Final = 64 * 1024
_DEFAULT_EXCHANGE: Final = "amq.direct"
_LETS_NO_MORE: Final = (4, 3)


@dataclass(frozen=True, slots=True)
class BrokerKey:
    """Which connection: those who have equal ones share it.

    Attributes:
        url: where the broker is.
        password: of the user; None: the broker's default.
        ssl: for amqps; None: as the URL's options say.
        name: what the broker calls the connection.
        exchange: carries all messages; empty: one that every broker has.
        others: the same at other nodes of a cluster, for when this one cannot be reached.
    """

    url: BrokerUrl
    password: str | None = field(repr=False)
    ssl: SSLContext | None
    name: str
    exchange: str
    others: tuple[BrokerUrl, ...] = ()


class AmqpConnection:
    """A connection, opened once and closed once.

    Args:
        key: where to, and as whom.
        user: hears of what concerns it; in ``close``, too.

    Attributes:
        protocol: what is below aiormq, once there is one.
    """

    protocol: AmqpProtocol | None = None

    def __init__(self, key: BrokerKey, user: ConnectionUser) -> None:
        self._key = key
        self._user = user
        self._amqp: Any = None
        self._outwards: Any = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._exchange = key.exchange or _DEFAULT_EXCHANGE

    # -- opening and closing

    async def open(self, inbox: str, taker: ChannelUser) -> None:
        """Connect. Messages are written on one channel, and read on another, from a queue that goes with it.

        Args:
            inbox: the queue, and its routing key.
            taker: gets the messages, and those that come back.

        Raises:
            LinkError: the message says why.
        """
        url = await self._find_node() if self._key.others else self._key.url
        with no_aiormq_errors(f"no connection to the broker at {url.place}"):
            async with asyncio.timeout(_PATIENCE):
                await self._connect(url)
                await self._make_inbox(inbox, taker)

    async def _find_node(self) -> BrokerUrl:
        """Return the first node that says that it is a broker, or the last one."""
        urls = (self._key.url, *self._key.others)
        for url in urls[:-1]:
            try:
                async with asyncio.timeout(_PROBE):
                    if await _is_broker(url):
                        return url
            except OSError as exc:  # TimeoutError is one
                logger.info("no broker at %s: %s", url.place, exc or "no answer")
        return urls[-1]

    async def _connect(self, url: BrokerUrl) -> None:
        key = self._key
        aiormq = optional_package("aiormq", "rmq")
        loop = asyncio.get_running_loop()
        self._amqp = aiormq.Connection(
            url.text(key.password),
            context=key.ssl,
            transport_factory=self,
            client_properties={"connection_name": key.name},
        )
        context = None
        if url.scheme == "amqps":
            context = key.ssl or await _context(aiormq, self._amqp)
        reader = asyncio.StreamReader(_STREAM_LIMIT, loop=loop)
        protocol = AmqpProtocol(reader, self._user)
        await loop.create_connection(lambda: protocol, url.host, url.port, ssl=context)
        self.protocol = protocol
        self._streams = reader, asyncio.StreamWriter(protocol.transport, protocol, reader, loop)
        await self._amqp.connect()

    async def _make_inbox(self, inbox: str, taker: ChannelUser) -> None:
        outwards, inwards = await self.new_channel(taker), await self.new_channel(taker)
        await self.declare_exchange(inwards)
        await inwards.queue_declare(inbox, exclusive=True, auto_delete=True)
        await self.bind(inwards, inbox, inbox)
        await inwards.basic_consume(inbox, ignore_message, no_ack=True, exclusive=True)
        self._outwards = outwards

    async def create(self, url: Any, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the streams; it is aiormq that asks for them."""
        assert self._streams is not None
        return self._streams

    async def close(self, *, orderly: bool) -> None:
        """Close it, in three seconds at most; *orderly*: once the broker has dealt with what was written."""
        protocol = self.protocol
        if protocol is None:
            return
        if orderly and self._outwards is not None:
            with contextlib.suppress(LinkError), no_aiormq_errors("the channel was not closed"):
                async with asyncio.timeout(_LEAVE):
                    await self._outwards.close()
        closing = asyncio.ensure_future(self._amqp.close())
        await asyncio.wait([closing], timeout=_LEAVE)
        protocol.transport.abort()
        await asyncio.wait([closing, protocol.gone], timeout=_LEAVE)
        if not closing.done():
            closing.cancel()
            await asyncio.wait([closing])
        if not closing.cancelled() and (error := closing.exception()) is not None:
            logger.debug(
                "a connection to %s was not closed in an orderly way: %s", self._key.url.place, error
            )

    # -- once it is open

    @property
    def lets_transient_be_shared(self) -> bool:
        """Whether the broker takes transient queues that are not one connection's. RabbitMQ did until 4.2."""
        version = re.match(r"(\d+)\.(\d+)", str(self._amqp.server_properties.get("version", "")))
        return version is None or (int(version[1]), int(version[2])) < _LETS_NO_MORE

    async def new_channel(self, taker: ChannelUser | None = None) -> Any:
        """Return another of aiormq's channels; *taker* gets its messages.

        Raises:
            LinkError: there are as many as the broker allows.
            Exception: what aiormq raises.
        """
        channel = await self._open_channel()
        if taker is not None and self.protocol is not None:
            self.protocol.take_channel(channel.number, taker)
        return channel

    async def new_deliveries(self, taker: DeliveryUser) -> Any:
        """Return another channel, whose messages *taker* gets with what the broker says of them."""
        channel = await self._open_channel()
        if self.protocol is not None:
            self.protocol.take_deliveries(channel.number, taker)
        return channel

    async def _open_channel(self) -> Any:
        most = self._amqp.connection_tune.channel_max
        if most and len(self._amqp.channels.keys() - {0}) >= most:
            # The broker would close the connection, which others use.
            raise LinkError(f"the connection to the broker has {most} channels, and may have no more")
        return await self._amqp.channel(publisher_confirms=False)

    def leave_channel(self, channel: Any) -> None:
        """It is closed; another one may get its number."""
        if self.protocol is not None:
            self.protocol.leave_channel(channel.number)

    async def close_channel(self, channel: Any) -> None:
        """Close it, if it is open, in an orderly way; if that takes long it is left to itself."""
        if not channel.is_closed:
            await give_time(channel.close(), _LEAVE)
        self.leave_channel(channel)

    def publisher(self, key: str, *, mandatory: bool, channel: Any = None) -> BasicPublish:
        """Return what writes messages with a routing key; *mandatory*: what no queue takes comes back.

        *channel*: where they are written; None: where all links write.
        """
        assert self.protocol is not None
        return BasicPublish(
            self.protocol.transport,
            (channel or self._outwards).number,
            self._amqp.connection_tune.frame_max,
            self._exchange,
            key,
            mandatory=mandatory,
        )

    async def bind(self, channel: Any, queue: str, key: str) -> None:
        """From now on the queue gets messages with this routing key."""
        await channel.queue_bind(queue, self._exchange, key)

    async def unbind(self, channel: Any, queue: str, key: str) -> None:
        """No longer."""
        await channel.queue_unbind(queue, self._exchange, key)

    async def declare_exchange(self, channel: Any) -> None:
        """Make sure that there is an exchange; one that this makes goes with the last queue bound to it."""
        if not self._key.exchange:
            return
        aiormq = optional_package("aiormq", "rmq")
        probe = await self.new_channel()  # the broker closes it if there is none
        try:
            await probe.exchange_declare(self._exchange, passive=True)
        except aiormq.exceptions.ChannelNotFoundEntity:
            await channel.exchange_declare(self._exchange, exchange_type="direct", auto_delete=True)
        else:
            await probe.close()


async def _is_broker(url: BrokerUrl) -> bool:
    """Return whether a node is up: one that is starting accepts connections, and says nothing."""
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        if url.scheme == "amqps":
            return True
        writer.write(b"AMQP\x00\x00\x09\x01")
        return await reader.read(1) != b""
    finally:
        writer.transport.abort()


async def ignore_message(message: Any) -> None:
    """What aiormq would call with a message, if any came to it."""


@contextlib.contextmanager
def no_aiormq_errors(text: str) -> Iterator[None]:
    """Raise LinkError, *text* and the reason, for what aiormq raises. TimeoutError is one of those errors."""
    aiormq = optional_package("aiormq", "rmq")
    pamqp = optional_package("pamqp.exceptions", "rmq")
    try:
        yield
    except TimeoutError as exc:
        raise LinkError(f"{text}: the broker does not answer") from exc
    except (OSError, aiormq.exceptions.AMQPError, pamqp.PAMQPException, RuntimeError) as exc:
        raise LinkError(f"{text}: {_text(exc)}") from exc
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Nobody has cancelled this task: it is aiormq's way to say so.
        raise LinkError(f"{text}: the connection to the broker broke") from exc


_undone: set[asyncio.Future[Any]] = set()


async def give_time(doing: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Wait until aiormq has done this, in some seconds at most; that it fails is no matter.

    When the wait is over, or cancelled, it goes on: aiormq closes the channel of a call that is cancelled. If
    that is being closed, the broker takes the second time amiss, and closes the connection that others share.
    """
    task = asyncio.ensure_future(doing)
    _undone.add(task)
    task.add_done_callback(_done)
    await asyncio.wait([task], timeout=seconds)


def _done(task: asyncio.Future[Any]) -> None:
    _undone.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("a channel was not left in an orderly way: %r", error)


async def _context(aiormq: Any, amqp: Any) -> SSLContext:
    provider = aiormq.connection.SSLContextProvider(
        ssl_context=None, ssl_certs=amqp.ssl_certs, loop=asyncio.get_running_loop()
    )
    context: SSLContext = await provider.get_context()
    return context


def _text(error: BaseException) -> str:
    return " ".join(str(part) for part in error.args) or type(error).__name__
