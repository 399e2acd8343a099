"""A client's end of a shared inbox."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from typing import Any, Final

from ....abc import PeerIdentity
from ....abc.inbox import DEAD, Message, Publisher, PublisherUser
from ....exceptions import LinkError
from ..connection import AmqpConnection, BrokerKey, ignore_message, no_aiormq_errors
from ..link_messages import Introduction
from ..protocol import BasicPublish
from ..shared_connection import SharedConnection, acquire, blocked_error
from .properties import delivered, envelope, has_properties, largest_message, replies, reply_key
from .topology import Topology

__all__ = ["AmqpPublisher"]

logger = logging.getLogger("communica_like")

_PATIENCE: Final = 35.0  # seconds to open it; a queue that is without a leader has the broker wait for 30
_UNCONFIRMED: Final = 10.0  # seconds that a channel may say nothing of what is sent
_USELESS: Final = 1.0  # seconds that it may refuse all that is sent
_LONGEST: Final = 80.0  # the same, when another channel is no better: then it is up to the broker
_REFUSED: Final = 0.2  # seconds until what the broker could not take is sent again
_BURST: Final = 64 * 1024  # bytes that are written without waiting for more


class AmqpPublisher(Publisher):
    """Publishes messages on a channel of its own, and has the broker confirm them.

    It does not wait for one's confirmation before it publishes the next. Answers come to a queue that goes
    with the connection, by a routing key that stays the same when the connection is another one.

    A channel that takes nothing is given up, for it may be of no use although it is open: one that was about
    to look for a quorum queue's leader when the leader's node stopped refuses all until that node is back.
    """

    def __init__(self, key: BrokerKey, topology: Topology, user: PublisherUser) -> None:
        self._key = key
        self._topology = topology
        self._user = user
        self._loop = asyncio.get_running_loop()
        self._token = secrets.token_hex(8)
        self._reply_to = reply_key(self._token)
        self._broker: SharedConnection | None = None
        self._channels: list[Any] = []
        self._publisher: BasicPublish | None = None
        self._canceller: BasicPublish | None = None
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._kept: dict[int, Message] = {}
        self._published = 0  # the largest number that ever was
        self._unconfirmed: dict[int, int] = {}  # numbers by delivery tag
        self._last_tag = 0
        self._futile = 0  # channels given up, one after another
        self._refused: float | None = None  # since when all is refused, by the loop's clock
        self._watch: asyncio.TimerHandle | None = None
        self._out: list[bytes] = []
        self._waiting = 0  # bytes of those
        self._scheduled = False

    @property
    def peer(self) -> PeerIdentity:
        return PeerIdentity(self._key.url.scheme, f"{self._key.url.place}, inbox {self._topology.address}")

    @property
    def connected(self) -> bool:
        return self._publisher is not None

    @property
    def obstacle(self) -> str:
        if self._broker is not None and self._broker.why_blocked:
            return str(blocked_error(self._broker))
        if self._refused is not None:
            return "the broker refuses what is sent, as it does when a queue is full"
        return self._over.result() if self._over.done() else ""

    # -- connections

    async def connect(self) -> None:
        broker = await acquire(self._key)
        try:
            await self._prepare(broker)
        except BaseException as exc:
            await self._leave(broker)
            if isinstance(exc, LinkError) and broker.why_blocked:
                raise blocked_error(broker) from exc
            raise
        self._resend()

    async def lost(self) -> str:
        return await asyncio.shield(self._over)

    async def close(self) -> None:
        self._flush()
        if self._broker is not None:
            await self._leave(self._broker)

    async def _prepare(self, broker: SharedConnection) -> None:
        connection = broker.connection
        self._over = self._loop.create_future()
        self._broker = broker
        self._unconfirmed.clear()
        self._last_tag = 0
        self._refused = None
        broker.servers[self._token] = self
        with no_aiormq_errors(f"cannot send to the inbox at {broker.place}"):
            async with asyncio.timeout(_PATIENCE):
                await self._topology.declare(connection)
                inwards = await self._new_channel(connection)
                answers = f"{self._reply_to}.{secrets.token_hex(4)}"
                await inwards.queue_declare(answers, exclusive=True, auto_delete=True)
                await connection.bind(inwards, answers, self._reply_to)
                await self._topology.bind_dead(inwards, answers, self._token)
                await inwards.basic_consume(answers, ignore_message, no_ack=True)
                channel = await self._new_channel(connection)
                await channel.confirm_delivery()
        if self._over.done():
            raise LinkError(f"cannot send to the inbox at {broker.place}: {self._over.result()}")
        self._canceller = connection.publisher(self._topology.notices, mandatory=False, channel=channel)
        self._publisher = connection.publisher(self._topology.inbox, mandatory=True, channel=channel)

    def connection_lost(self, reason: str) -> None:
        """The connection, or a channel, is of no use any more."""
        self._publisher = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._out.clear()
        self._waiting = 0
        if not self._over.done():
            self._over.set_result(reason)

    async def _new_channel(self, connection: AmqpConnection) -> Any:
        self._channels.append(await connection.new_deliveries(self))
        return self._channels[-1]

    async def _leave(self, broker: SharedConnection) -> None:
        """Let go of the broker."""
        self.connection_lost("it is given up")
        channels, self._channels = self._channels, []
        self._broker = None
        broker.servers.pop(self._token, None)
        try:
            for channel in channels:
                await broker.connection.close_channel(channel)
        finally:
            closing = broker.release()
            if closing is not None:
                await asyncio.shield(closing)

    # -- messages

    def send(self, message: Message, /) -> None:
        self._kept[message.ident] = message
        if self._publisher is not None:
            self._publish(message)

    def forget(self, ident: int, /, *, cancel: bool = False) -> None:
        self._kept.pop(ident, None)
        if cancel and self._canceller is not None and self._publisher is not None:
            self._last_tag += 1  # it is confirmed, as all is on this channel
            self._write(self._canceller.frames(b"", f"{self._token}.{ident}".encode()))

    def _publish(self, message: Message) -> None:
        assert self._publisher is not None
        again = message.ident <= self._published
        content = envelope(message, self._token, self._reply_to, time.time(), again=again)
        if not again:
            self._published = message.ident
        self._last_tag += 1
        self._unconfirmed[self._last_tag] = message.ident
        if self._watch is None:
            self._watch = self._loop.call_later(self._at_most(_UNCONFIRMED), self._look, self._last_tag)
        self._write(self._publisher.frames(b"", message.body, content))

    def _at_most(self, seconds: float) -> float:
        return min(seconds * 2.0**self._futile, _LONGEST)

    def _give_up(self, reason: str) -> None:
        self._futile += 1
        self.connection_lost(reason)

    def _look(self, tag: int) -> None:
        """Give the channel up, if this delivery is still the oldest of which the broker has said nothing."""
        self._watch = None
        broker = self._broker
        if not self._unconfirmed or broker is None or broker.connection.protocol is None:
            return
        oldest = next(iter(self._unconfirmed))
        on_its_way = broker.connection.protocol.transport.get_write_buffer_size()
        if oldest == tag and not broker.why_blocked and not on_its_way:
            self._give_up("the broker does not say whether it has what was sent")
        else:
            self._watch = self._loop.call_later(self._at_most(_UNCONFIRMED), self._look, oldest)

    def _resend(self) -> None:
        for message in list(self._kept.values()):
            if self._publisher is not None:
                self._publish(message)

    def _write(self, frames: bytes) -> None:
        self._out.append(frames)
        self._waiting += len(frames)
        if self._waiting > _BURST or (len(self._kept) < 2 and not self._scheduled):
            self._flush()
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        out, self._out, self._waiting = self._out, [], 0
        if out and self._broker is not None and self._broker.connection.protocol is not None:
            transport = self._broker.connection.protocol.transport
            if not transport.is_closing():
                transport.write(b"".join(out))

    # -- the connection's and the channels' reports

    def knocked(self, ident: bytes, introduction: Introduction) -> None:
        """Clients do not know of it."""

    def delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        try:
            if has_properties(header):
                ident = delivered(header, body).message.ident
                times = self._topology.delivery_limit
                text = f"it was put aside: it came back more than {times} times; perhaps it kills servers"
                self._answered(ident, DEAD, text.encode())
                return
            for ident, kind, answer in replies(body):
                self._answered(ident, kind, answer)
        except ValueError as exc:
            logger.warning("something among the answers from %s was ignored: %s", self._key.url.place, exc)

    def _answered(self, ident: int, kind: int, body: bytes) -> None:
        if self._kept.pop(ident, None) is not None:
            self._user.answered(ident, kind, body)

    def returned(self, method: bytes) -> None:
        self.connection_lost("the inbox is not there any more")

    def confirmed(self, tag: int, multiple: bool, taken: bool) -> None:
        if taken:
            self._futile = 0
            self._refused = None
        elif self._refused is None:
            self._refused = self._loop.time()
        tags = [tag]
        if multiple:
            tags = list(itertools.takewhile(lambda known: known <= tag, self._unconfirmed))
        for one in tags:
            ident = self._unconfirmed.pop(one, None)
            message = None if ident is None else self._kept.get(ident)
            if message is None:
                continue
            if not taken:
                self._loop.call_later(_REFUSED, self._send_again, message)
            elif not message.wants_answer:
                del self._kept[message.ident]
                self._user.confirmed(message.ident)

    def channel_closed(self, reason: str) -> None:
        largest = largest_message(reason)
        if largest is not None:
            for ident in [ident for ident, kept in self._kept.items() if len(kept.body) > largest]:
                size = len(self._kept.pop(ident).body)
                self._user.too_big(ident, f"{size} bytes; the broker takes at most {largest}")
        self.connection_lost(f"the broker closed a channel: {reason}")

    def _send_again(self, message: Message) -> None:
        if self._publisher is None or message.ident not in self._kept:
            return
        if self._refused is not None and self._loop.time() - self._refused > self._at_most(_USELESS):
            self._give_up("the broker refuses all that is sent")
        else:
            self._publish(message)
