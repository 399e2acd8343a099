"""A client's end of a shared inbox."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from typing import Final

from ....abc.inbox import DEAD, Message, Publisher, PublisherUser
from ..calls import ignore_message
from ..connection import Connection
from ..key import BrokerKey
from ..protocol import BasicPublish
from .end import InboxEnd
from .properties import decode, encode, has_properties, largest_message, replies, reply_key
from .topology import Topology

logger = logging.getLogger("communica_like")

_CONFIRM_TIMEOUT: Final = 10.0  # seconds that the broker may leave the oldest message unconfirmed
_REFUSAL_TIMEOUT: Final = 1.0  # seconds that it may refuse all messages
_MAX_TIMEOUT: Final = 80.0  # seconds; both are doubled each time that a new channel is no better
_RESEND_DELAY: Final = 0.2  # seconds before a refused message is published again
_BURST: Final = 64 * 1024  # bytes that are written without waiting for more


class AmqpPublisher(InboxEnd, Publisher):
    """Publishes on a channel with publisher confirms, many messages at a time.

    Responses come to an exclusive queue, by a routing key that stays the same when the connection
    is replaced.

    A channel on which the broker confirms nothing is replaced. It may be open, and useless: if it was looking
    for a quorum queue's leader when the leader's node stopped, it refuses everything until that node is back.
    """

    def __init__(self, key: BrokerKey, topology: Topology, user: PublisherUser) -> None:
        super().__init__(key, topology, "cannot send to the inbox at")
        self._user = user
        self._token = secrets.token_hex(8)
        self._reply_to = reply_key(self._token)
        self._requests: BasicPublish | None = None
        self._notices: BasicPublish  # there is one if there is the other
        self._kept: dict[int, Message] = {}
        self._published = 0  # the largest number that ever was
        self._unconfirmed: dict[int, int] = {}  # numbers of messages by delivery tag
        self._last_tag = 0
        self._replaced = 0  # channels, without a confirmation in between
        self._refusing_since: float | None = None  # by the loop's clock
        self._watch: asyncio.TimerHandle | None = None
        self._out: list[bytes] = []
        self._out_size = 0

    @property
    def connected(self) -> bool:
        return self._requests is not None

    @property
    def obstacle(self) -> str:
        if self._connection is not None and self._connection.blocked_reason:
            return self._connection.blocked_reason
        if self._refusing_since is not None:
            return "the broker refuses what is sent, as it does when a queue is full"
        return self._lost.result() if self._lost.done() else ""

    async def connect(self) -> None:
        self._unconfirmed.clear()
        self._last_tag = 0
        self._refusing_since = None
        await super().connect()
        for message in list(self._kept.values()):
            self._publish(message)

    async def close(self) -> None:
        self._flush()
        await self._disconnect()

    async def _declare(self, connection: Connection) -> None:
        await super()._declare(connection)
        consuming = await self._new_channel(connection)
        queue = f"{self._reply_to}.{secrets.token_hex(4)}"
        await consuming.queue_declare(queue, exclusive=True, auto_delete=True)
        await consuming.queue_bind(queue, connection.exchange, self._reply_to)
        await self._topology.bind_dead(consuming, queue, self._token)
        await consuming.basic_consume(queue, ignore_message, no_ack=True)
        channel = await self._new_channel(connection)
        await channel.confirm_delivery()
        if not self._lost.done():
            self._notices = connection.publisher(self._topology.notices, mandatory=False, channel=channel)
            self._requests = connection.publisher(self._topology.inbox, mandatory=True, channel=channel)

    def connection_lost(self, reason: str) -> None:
        super().connection_lost(reason)
        self._requests = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._out.clear()
        self._out_size = 0

    # -- publishing

    def send(self, message: Message, /) -> None:
        self._kept[message.ident] = message
        self._publish(message)

    def forget(self, ident: int, /, *, cancel: bool = False) -> None:
        self._kept.pop(ident, None)
        if cancel and self._requests is not None:
            self._last_tag += 1  # the notice is confirmed, too
            self._write_soon(self._notices.frames(b"", f"{self._token}.{ident}".encode()))

    def _publish(self, message: Message) -> None:
        if self._requests is None:
            return
        again = message.ident <= self._published
        content = encode(message, self._token, self._reply_to, time.time(), again=again)
        if not again:
            self._published = message.ident
        self._last_tag += 1
        self._unconfirmed[self._last_tag] = message.ident
        if self._watch is None:
            self._check_progress(0)
        self._write_soon(self._requests.frames(b"", message.body, content))

    def _write_soon(self, frames: bytes) -> None:
        """Write a burst, or a lone message, at once; others in the loop's next turn."""
        self._out.append(frames)
        self._out_size += len(frames)
        if self._out_size > _BURST or (len(self._kept) < 2 and not self._scheduled):
            self._flush()
        else:
            self._schedule()

    def _flush(self) -> None:
        self._scheduled = False
        out, self._out, self._out_size = self._out, [], 0
        if out and self._connection is not None:
            self._connection.write(b"".join(out))

    # -- confirmations

    def confirmed(self, tag: int, multiple: bool, taken: bool) -> None:
        if taken:
            self._replaced = 0
            self._refusing_since = None
        elif self._refusing_since is None:
            self._refusing_since = self._loop.time()
        tags = [tag]
        if multiple:
            tags = list(itertools.takewhile(lambda known: known <= tag, self._unconfirmed))
        for one in tags:
            message = self._kept.get(self._unconfirmed.pop(one, 0))
            if message is None:
                continue
            if not taken:
                self._loop.call_later(_RESEND_DELAY, self._publish_again, message)
            elif not message.wants_answer:
                del self._kept[message.ident]
                self._user.confirmed(message.ident)

    def _publish_again(self, message: Message) -> None:
        if self._requests is None or message.ident not in self._kept:
            return
        refusing = self._refusing_since
        if refusing is not None and self._loop.time() - refusing > self._longer(_REFUSAL_TIMEOUT):
            self._replace_channel("the broker refuses all that is sent")
        else:
            self._publish(message)

    def _check_progress(self, tag: int) -> None:
        """Replace the channel if *tag*, the oldest one at the last check, still is."""
        self._watch = None
        connection = self._connection
        if not self._unconfirmed or connection is None:
            return
        oldest = next(iter(self._unconfirmed))
        unwritten = connection.transport.get_write_buffer_size()
        if oldest == tag and not connection.blocked_reason and not unwritten:
            self._replace_channel("the broker does not confirm what is sent")
        else:
            self._watch = self._loop.call_later(self._longer(_CONFIRM_TIMEOUT), self._check_progress, oldest)

    def _longer(self, timeout: float) -> float:
        return min(timeout * 2.0**self._replaced, _MAX_TIMEOUT)

    def _replace_channel(self, reason: str) -> None:
        self._replaced += 1
        self.connection_lost(reason)

    # -- events of the channels

    def delivered(self, method: bytes, header: bytes, body: bytes) -> None:
        try:
            answers = replies(body)
            if has_properties(header):
                times = self._topology.delivery_limit
                text = f"it was put aside: it came back more than {times} times; perhaps it kills servers"
                answers = iter([(decode(header, body).message.ident, DEAD, text.encode())])
            for ident, kind, answer in answers:
                if self._kept.pop(ident, None) is not None:
                    self._user.answered(ident, kind, answer)
        except ValueError as exc:
            logger.warning("ignored a message among the responses from %s: %s", self._key.url.place, exc)

    def returned(self, body: bytes) -> None:
        self.connection_lost("the inbox was deleted")

    def channel_closed(self, reason: str) -> None:
        largest = largest_message(reason)
        if largest is not None:
            for ident in [ident for ident, kept in self._kept.items() if len(kept.body) > largest]:
                size = len(self._kept.pop(ident).body)
                self._user.too_big(ident, f"{size} bytes; the broker takes at most {largest}")
        super().channel_closed(reason)
