"""A server's end of a shared inbox."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

from ....abc.inbox import ANSWER, Consumer, ConsumerUser, Delivery
from ..calls import best_effort, ignore_message
from ..connection import Connection
from ..key import BrokerKey
from ..protocol import BasicPublish
from .acknowledgements import Acknowledgements
from .end import InboxEnd
from .properties import Received, decode, largest_message, reply
from .topology import Topology

logger = logging.getLogger("communica_like")

_CANCEL_TIMEOUT: Final = 5.0  # seconds to stop consuming
_ACK_DELAY: Final = 0.005  # seconds to wait for more acknowledgements, each of which costs a write to disk
_INBOX, _NOTICES = "inbox", "notices"  # consumer tags
_MAX_CANCELLED: Final = 10_000  # cancelled requests to remember
_MAX_PUBLISHERS: Final = 1000  # clients whose publishers are kept
_MAX_BATCH: Final = 128 * 1024  # bytes of responses that travel together


class AmqpDelivery(Delivery):
    """A message out of the inbox. Its delivery tag is 0 when its channel is closed."""

    def __init__(self, consumer: AmqpConsumer, tag: int, received: Received, redelivered: bool) -> None:
        self.message = received.message
        self.peer = consumer.peer
        self.redelivered = redelivered or received.copy or bool(received.deliveries)
        self.deliveries = received.deliveries
        self.received = received
        self.tag = tag
        self._consumer = consumer

    def ack(self, kind: int = ANSWER, body: bytes | None = None) -> None:
        self._consumer.ack(self, kind, body)

    def requeue(self) -> None:
        self._consumer.requeue(self)


class AmqpConsumer(InboxEnd, Consumer):
    """Consumes the inbox, and publishes responses, on one channel.

    The broker processes a channel's frames in order, so it has a response before the request's
    acknowledgement.
    """

    def __init__(self, key: BrokerKey, topology: Topology, prefetch: int, user: ConsumerUser) -> None:
        super().__init__(key, topology, "cannot serve the inbox at")
        self._prefetch = prefetch
        self._user = user
        self._queue = f"communica_like.notices.{secrets.token_hex(16)}"
        self._publisher: Callable[[str], BasicPublish]  # by the client's routing key
        self._deliveries: dict[str, AmqpDelivery] = {}
        self._cancelled: dict[str, None] = {}
        self._acknowledgements = Acknowledgements(max(1, prefetch // 4))
        self._ack_timer: asyncio.TimerHandle | None = None
        self._responses: dict[str, list[bytes]] = {}  # by the client's routing key
        self._responses_size = 0

    async def stop(self) -> None:
        if self._channels and not self._lost.done():
            await best_effort(self._channels[0].basic_cancel(_INBOX), _CANCEL_TIMEOUT)

    async def close(self) -> None:
        self._flush(acknowledge_all=True)
        await self._disconnect()

    async def _declare(self, connection: Connection) -> None:
        await super()._declare(connection)
        channel = await self._new_channel(connection)
        publisher = partial(connection.publisher, mandatory=False, channel=channel)
        self._publisher = lru_cache(_MAX_PUBLISHERS)(publisher)
        await channel.queue_declare(self._queue, exclusive=True, auto_delete=True)
        await channel.queue_bind(self._queue, connection.exchange, self._topology.notices)
        await channel.basic_consume(self._queue, ignore_message, no_ack=True, consumer_tag=_NOTICES)
        await channel.basic_qos(prefetch_count=self._prefetch)
        await channel.basic_consume(self._topology.inbox, ignore_message, consumer_tag=_INBOX)

    def connection_lost(self, reason: str) -> None:
        super().connection_lost(reason)
        self._acknowledgements.clear()
        self._responses.clear()
        self._responses_size = 0
        for delivery in self._deliveries.values():
            delivery.tag = 0

    # -- events of the channel

    def channel_closed(self, reason: str) -> None:
        largest = largest_message(reason)
        if largest is not None:
            # The request is delivered again, and its response will be that it was too large.
            self._user.largest_answer(largest - len(reply(0, ANSWER, b"")))
        super().channel_closed(reason)

    def delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        # Basic.Deliver: class and method, then consumer-tag, delivery-tag, redelivered.
        end = 5 + method[4]
        if method[5:end].decode() == _NOTICES:
            self._cancel(body.decode("utf-8", "replace"))
            return
        if self._lost.done():
            return
        tag, redelivered = int.from_bytes(method[end : end + 8]), bool(method[end + 8])
        self._acknowledgements.add(tag)
        try:
            received = decode(header, body)
        except ValueError as exc:
            logger.error("a message in the inbox %r is put aside: %s", self._topology.inbox, exc)
            self._reject(tag, requeue=False)
            return
        known = self._deliveries.get(received.ident)
        if known is not None and not known.tag:
            known.tag = tag  # delivered again, because the channel that it came on is closed
        elif known is not None or received.ident in self._cancelled:
            self._ack(tag)
        else:
            delivery = self._deliveries[received.ident] = AmqpDelivery(self, tag, received, redelivered)
            self._user.take(delivery)

    def _cancel(self, ident: str) -> None:
        """Cancel a request, now or when it is delivered."""
        delivery = self._deliveries.get(ident)
        if delivery is not None:
            self._user.cancel(delivery)
            return
        self._cancelled[ident] = None
        if len(self._cancelled) > _MAX_CANCELLED:
            del self._cancelled[next(iter(self._cancelled))]

    # -- responses and acknowledgements

    def ack(self, delivery: AmqpDelivery, kind: int, body: bytes | None) -> None:
        """Acknowledge a delivery, after its response, if *body* is given."""
        received = delivery.received
        if self._deliveries.get(received.ident) is delivery:
            del self._deliveries[received.ident]
        if body is not None and received.reply_to and not self._lost.done():
            response = reply(received.message.ident, kind, body)
            if self._responses_size + len(response) > _MAX_BATCH:
                self._flush()
            self._responses.setdefault(received.reply_to, []).append(response)
            self._responses_size += len(response)
        self._ack(delivery.tag, urgent=delivery.redelivered)

    def requeue(self, delivery: AmqpDelivery) -> None:
        """Have the broker deliver it to another server."""
        if self._deliveries.get(delivery.received.ident) is delivery:
            del self._deliveries[delivery.received.ident]
        self._reject(delivery.tag, requeue=True)

    def _ack(self, tag: int, *, urgent: bool = False) -> None:
        self._acknowledgements.ack(tag, urgent=urgent)
        if not self._deliveries and self._responses and not self._scheduled:
            self._flush()  # it was the only one
        elif self._responses or self._acknowledgements.due:
            self._schedule()
        if self._acknowledgements.waiting and self._ack_timer is None:
            self._ack_timer = self._loop.call_later(_ACK_DELAY, self._delayed_ack)

    def _reject(self, tag: int, *, requeue: bool) -> None:
        self._acknowledgements.reject(tag, requeue=requeue)
        self._schedule()

    def _delayed_ack(self) -> None:
        self._ack_timer = None
        self._flush(acknowledge_all=True)

    def _flush(self, *, acknowledge_all: bool = False) -> None:
        """Write all responses, and acknowledgements if they are due."""
        self._scheduled = False
        if self._connection is None or not self._channels or self._lost.done():
            return
        out = [self._publisher(to).frames(b"", b"".join(some)) for to, some in self._responses.items()]
        self._responses.clear()
        self._responses_size = 0
        if acknowledge_all or self._acknowledgements.due:
            out += self._acknowledgements.frames(self._channels[0].number)
        if out:
            self._connection.write(b"".join(out))
