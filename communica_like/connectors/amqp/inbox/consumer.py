"""A server's end of a shared inbox."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any, Final

from ....abc import PeerIdentity
from ....abc.inbox import ANSWER, Consumer, ConsumerUser, Delivery
from ....exceptions import LinkError
from ..connection import BrokerKey, give_time, ignore_message, no_aiormq_errors
from ..link_messages import Introduction
from ..protocol import BasicPublish
from ..shared_connection import SharedConnection, acquire
from .acknowledgements import Acknowledgements
from .properties import Delivered, delivered, largest_message, reply
from .topology import Topology

__all__ = ["AmqpConsumer"]

logger = logging.getLogger("communica_like")

_PATIENCE: Final = 35.0  # seconds to open it; a queue that is without a leader has the broker wait for 30
_LEAVE: Final = 5.0  # seconds for the broker to do what it is asked for in the end
_INBOX, _NOTICES = "inbox", "notices"  # consumers
_LATE: Final = 0.005  # seconds that an acknowledgement may wait for others, for each costs a write to disk
_CANCELLED: Final = 10_000  # requests of which is remembered that nobody waits for them
_CLIENTS: Final = 1000  # whose publishers are kept
_TOGETHER: Final = 128 * 1024  # bytes of answers that travel as one message


class AmqpJob(Delivery):
    """A message out of the inbox.

    Args:
        intake: where it came in.
        tag: what the channel calls it.
    """

    def __init__(self, intake: AmqpConsumer, tag: int, item: Delivered, redelivered: bool) -> None:
        self.message = item.message
        self.peer = intake.peer
        self.redelivered = redelivered or item.copy or bool(item.deliveries)
        self.deliveries = item.deliveries
        self.item = item
        self.tag = tag
        self._intake = intake

    def settle(self, kind: int = ANSWER, body: bytes | None = None) -> None:
        self._intake.settle(self, kind, body)

    def put_back(self) -> None:
        self._intake.put_back(self)


class AmqpConsumer(Consumer):
    """Consumes the inbox, and answers, on one channel.

    The broker does what is asked for on a channel in order: so it has an answer before the request that it
    belongs to is taken out of the inbox for good.

    Attributes:
        peer: the broker.
    """

    def __init__(self, key: BrokerKey, topology: Topology, prefetch: int, user: ConsumerUser) -> None:
        self._key = key
        self._topology = topology
        self._prefetch = prefetch
        self._user = user
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._ident = secrets.token_hex(16)
        self._broker: SharedConnection | None = None
        self._channel: Any = None
        self._publishers: dict[str, BasicPublish] = {}
        self._in_hand: dict[str, AmqpJob] = {}
        self._cancelled: dict[str, None] = {}
        self._settlement = Acknowledgements(max(1, prefetch // 4))
        self._alarm: asyncio.TimerHandle | None = None
        self._back: list[bytes] = []
        self._answers: dict[str, list[bytes]] = {}
        self._scheduled = False
        self.peer = PeerIdentity(key.url.scheme, f"{key.url.place}, inbox {topology.address}")

    # -- connections

    async def open(self) -> None:
        broker = await acquire(self._key)
        try:
            await self._prepare(broker)
        except BaseException:
            await self._leave(broker)
            raise

    async def lost(self) -> str:
        return await asyncio.shield(self._over)

    async def stop(self) -> None:
        if self._channel is not None and not self._over.done():
            await give_time(self._channel.basic_cancel(_INBOX), _LEAVE)

    async def close(self) -> None:
        self._acknowledge()
        if self._broker is not None:
            await self._leave(self._broker)

    async def _prepare(self, broker: SharedConnection) -> None:
        connection = broker.connection
        topology = self._topology
        self._over = self._loop.create_future()
        self._broker = broker
        self._publishers.clear()
        for job in self._in_hand.values():
            job.tag = 0  # of a channel that is no more
        broker.servers[self._ident] = self
        with no_aiormq_errors(f"cannot serve the inbox at {broker.place}"):
            async with asyncio.timeout(_PATIENCE):
                await topology.declare(connection)
                channel = self._channel = await connection.new_deliveries(self)
                notices = f"communica_like.notices.{self._ident}"
                await channel.queue_declare(notices, exclusive=True, auto_delete=True)
                await connection.bind(channel, notices, topology.notices)
                await channel.basic_consume(notices, ignore_message, no_ack=True, consumer_tag=_NOTICES)
                await channel.basic_qos(prefetch_count=self._prefetch)
                await channel.basic_consume(topology.inbox, ignore_message, consumer_tag=_INBOX)
        if self._over.done():
            raise LinkError(f"cannot serve the inbox at {broker.place}: {self._over.result()}")

    async def _leave(self, broker: SharedConnection) -> None:
        """Let go of the broker."""
        self.connection_lost("it is given up")
        channel, self._channel = self._channel, None
        self._broker = None
        broker.servers.pop(self._ident, None)
        try:
            if channel is not None:
                await broker.connection.close_channel(channel)
        finally:
            closing = broker.release()
            if closing is not None:
                await asyncio.shield(closing)

    # -- the connection's and the channel's reports

    def knocked(self, ident: bytes, introduction: Introduction) -> None:
        """Nobody can know its id."""

    def connection_lost(self, reason: str) -> None:
        if not self._over.done():
            self._over.set_result(reason)
        self._settlement.forget()
        self._answers.clear()

    def channel_closed(self, reason: str) -> None:
        largest = largest_message(reason)
        if largest is not None:
            # The request whose answer it was is delivered again; then the answer will be that.
            self._user.largest_answer(largest - len(reply(0, ANSWER, b"")))
        self.connection_lost(f"the broker closed a channel: {reason}")

    def returned(self, method: bytes) -> None:
        """Nothing is published that may come back."""

    def confirmed(self, tag: int, multiple: bool, taken: bool) -> None:
        """Nothing is to be confirmed on this channel."""

    def delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        end = 5 + method[4]
        consumer = method[5:end].decode()
        tag, redelivered = int.from_bytes(method[end : end + 8]), bool(method[end + 8])
        if consumer == _NOTICES:
            self._cancel(body.decode("utf-8", "replace"))
            return
        if self._over.done():
            return
        self._settlement.delivered(tag)
        try:
            item = delivered(header, body)
        except ValueError as exc:
            logger.error("a message in the inbox %r is put aside: %s", self._topology.inbox, exc)
            self._turn_down(tag, back=False)
            return
        known = self._in_hand.get(item.ident)
        if known is not None and not known.tag:
            known.tag = tag  # it is delivered again, for the channel that it came on is no more
        elif known is not None or item.ident in self._cancelled:
            self._settled(tag)
        else:
            job = self._in_hand[item.ident] = AmqpJob(self, tag, item, redelivered)
            self._user.take(job)

    def _cancel(self, ident: str) -> None:
        """Nobody waits for the answer to this request any more."""
        job = self._in_hand.get(ident)
        if job is not None:
            self._user.cancel(job)
            return
        self._cancelled[ident] = None
        if len(self._cancelled) > _CANCELLED:
            del self._cancelled[next(iter(self._cancelled))]

    # -- what is done with

    def settle(self, job: AmqpJob, kind: int, body: bytes | None) -> None:
        """Answer, and take it out of the inbox."""
        if self._in_hand.get(job.item.ident) is job:
            del self._in_hand[job.item.ident]
        if body is not None and job.item.reply_to and not self._over.done():
            self._answer(job.item, kind, body)
        self._settled(job.tag, at_once=job.redelivered)

    def put_back(self, job: AmqpJob) -> None:
        """Leave it to another server."""
        if self._in_hand.get(job.item.ident) is job:
            del self._in_hand[job.item.ident]
        self._turn_down(job.tag, back=True)

    def _answer(self, item: Delivered, kind: int, body: bytes) -> None:
        self._answers.setdefault(item.reply_to, []).append(reply(item.message.ident, kind, body))

    def _settled(self, tag: int, *, at_once: bool = False) -> None:
        self._settlement.done(tag, at_once=at_once)
        if not self._in_hand and self._answers and not self._scheduled:
            self._flush()  # there was this one only
        elif self._answers or self._settlement.due:
            self._schedule()
        if self._settlement.waiting and self._alarm is None:
            self._alarm = self._loop.call_later(_LATE, self._acknowledge)

    def _turn_down(self, tag: int, *, back: bool) -> None:
        self._settlement.turn_down(tag, back=back)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write what this turn of the event loop brought: answers first."""
        self._scheduled = False
        broker = self._broker
        if broker is None or self._over.done() or broker.connection.protocol is None:
            return
        out = [self._answers_to(reply_to, parts) for reply_to, parts in self._answers.items()]
        self._answers.clear()
        if self._settlement.due:
            out += self._settlement.frames(self._channel.number)
        self._write(out)

    def _acknowledge(self) -> None:
        """Write the answers, and all acknowledgements that wait."""
        self._alarm = None
        self._flush()
        if self._settlement.waiting:
            self._write(self._settlement.frames(self._channel.number))

    def _write(self, out: list[bytes]) -> None:
        broker = self._broker
        if broker is None or broker.connection.protocol is None:
            return
        transport = broker.connection.protocol.transport
        if out and not transport.is_closing():
            transport.write(b"".join(out))

    def _answers_to(self, reply_to: str, parts: list[bytes]) -> bytes:
        assert self._broker is not None
        publisher = self._publishers.get(reply_to)
        if publisher is None:
            if len(self._publishers) >= _CLIENTS:
                self._publishers.clear()
            publisher = self._publishers[reply_to] = self._broker.connection.publisher(
                reply_to, mandatory=False, channel=self._channel
            )
        messages: list[list[bytes]] = [[]]
        room = _TOGETHER
        for part in parts:
            if len(part) > room and messages[-1]:
                messages.append([])
                room = _TOGETHER
            messages[-1].append(part)
            room -= len(part)
        return b"".join(publisher.frames(b"", b"".join(message)) for message in messages)
