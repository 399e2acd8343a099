"""AMQP frames below aiormq: messages are read and written here, all other frames pass through to aiormq.

aiormq opens the connection, its channels and queues, and sends heartbeats. A message would cost a task and
several turns of the event loop there; here it costs neither, and is written at once.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final, cast

from ...system import fork

# https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, section 4.2.
_FRAME: Final = Struct("!BHI")  # type, channel, size of the payload; after it comes _END
_END: Final = b"\xce"
_OVERHEAD: Final = 8
_METHOD, _HEADER, _BODY = 1, 2, 3
_TYPES: Final = (_METHOD, _HEADER, _BODY, 8)

# Class and method: how the payload of a method frame begins.
_IDS: Final = Struct("!HH")
_CONNECTION_CLOSE: Final = _IDS.pack(10, 50)
_BLOCKED: Final = _IDS.pack(10, 60)
_UNBLOCKED: Final = _IDS.pack(10, 61)
_CHANNEL_CLOSE: Final = _IDS.pack(20, 40)
_CANCEL: Final = _IDS.pack(60, 30)
_PUBLISH: Final = _IDS.pack(60, 40)
_RETURN: Final = _IDS.pack(60, 50)
_DELIVER: Final = _IDS.pack(60, 60)
_ACK: Final = _IDS.pack(60, 80)
_NACK: Final = _IDS.pack(60, 120)

_CONTENT: Final = Struct("!BHIHHQH")  # the frame of a content header without properties, but for its end
_ACK_OR_NACK: Final = Struct("!BHI4sQB")
# aiormq gives up a connection on which it sees nothing: this is what it is shown.
_HEARTBEAT: Final = _FRAME.pack(8, 0, 0) + _END
_HEARTBEAT_INTERVAL: Final = 1.0  # seconds
_STREAM_LIMIT: Final = 64 * 1024  # bytes


class ChannelUser:
    """Receives the messages of a channel. Its methods are events."""

    def delivered(self, method: bytes, header: bytes, body: bytes, /) -> None:
        """A message was delivered; *method* and *header* are the payloads of those frames."""

    def returned(self, body: bytes, /) -> None:
        """A mandatory message came back, because no queue takes it."""

    def confirmed(self, tag: int, multiple: bool, taken: bool, /) -> None:
        """The broker took, or (not *taken*) refused, a message or (*multiple*) all so far."""

    def channel_closed(self, reason: str, /) -> None:
        """The broker closed the channel, or its consumer."""


@dataclass(slots=True)
class _Channel:
    """A channel's user, and the message of which some frames have arrived: if not, *method* is empty."""

    user: ChannelUser
    method: bytes = b""
    header: bytes = b""
    missing: int = 0
    pieces: list[bytes] = field(default_factory=list)


class BasicPublish:
    """Publishes messages with one routing key.

    Args:
        frame_max: the largest frame in bytes, as agreed with the broker; 0: no limit.
        mandatory: have the broker return messages that no queue takes.
    """

    def __init__(
        self, protocol: AmqpProtocol, channel: int, frame_max: int, exchange: str, key: str, mandatory: bool
    ) -> None:
        names = b"".join(bytes([len(name)]) + name for name in (exchange.encode(), key.encode()))
        method = _PUBLISH + b"\0\0" + names + bytes([mandatory])
        self._write = protocol.write
        self._channel = channel
        self._largest = (frame_max or 128 * 1024) - _OVERHEAD
        self._method = _FRAME.pack(_METHOD, channel, len(method)) + method + _END

    def publish(self, header: bytes, data: bytes | memoryview) -> None:
        """Write a message whose body is *header* and *data*, at once."""
        self._write(self.frames(header, data))

    def frames(self, header: bytes, data: bytes | memoryview, content: bytes = b"") -> bytes:
        """Return the frames of such a message.

        Args:
            content: the payload of the content header, if the message has properties.
        """
        size, channel = len(header) + len(data), self._channel
        if content:
            content = _FRAME.pack(_HEADER, channel, len(content)) + content
        else:
            content = _CONTENT.pack(_HEADER, channel, 14, 60, 0, size, 0)
        parts: list[bytes | memoryview] = [self._method, content, _END]
        if 0 < size <= self._largest:
            parts += (_FRAME.pack(_BODY, channel, size), header, data, _END)
        else:
            whole = memoryview(b"".join((header, data)))
            for start in range(0, size, self._largest):
                piece = whole[start : start + self._largest]
                parts += (_FRAME.pack(_BODY, channel, len(piece)), piece, _END)
        return b"".join(parts)


def ack_frame(channel: int, tag: int, *, multiple: bool = False) -> bytes:
    """Return the frame that acknowledges a delivery, or (*multiple*) all up to it."""
    return _ACK_OR_NACK.pack(_METHOD, channel, 13, _ACK, tag, multiple) + _END


def nack_frame(channel: int, tag: int, *, requeue: bool) -> bytes:
    """Return the frame that rejects a delivery; *requeue*: not to dead-letter it."""
    return _ACK_OR_NACK.pack(_METHOD, channel, 13, _NACK, tag, 2 if requeue else 0) + _END


class AmqpProtocol(asyncio.StreamReaderProtocol, ABC):
    """asyncio's protocol of streams, which keeps messages from aiormq.

    Attributes:
        transport: the connection's.
        closed: done when the connection is lost.
    """

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._reader = asyncio.StreamReader(_STREAM_LIMIT, loop=loop)
        super().__init__(self._reader, loop=loop)
        self._loop = loop
        self._rest = b""
        self._passed_at = 0.0
        self._users: dict[int, _Channel] = {}
        self._reads = 0  # how often bytes arrived
        self.closed: asyncio.Future[None] = loop.create_future()

    @abstractmethod
    def lost(self, reason: str) -> None:
        """The connection is of no use any more."""

    @abstractmethod
    def blocked(self, reason: str) -> None:
        """The broker takes no messages; ``""``: it does again."""

    def write(self, frames: bytes) -> None:
        """Write frames, unless the connection is closing."""
        if not self.transport.is_closing():
            self.transport.write(frames)

    async def create(self, url: Any, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection's streams to aiormq, whose transport factory this is."""
        return self._reader, asyncio.StreamWriter(self.transport, self, self._reader, self._loop)

    def add_channel(self, number: int, user: ChannelUser) -> None:
        """Give the messages of this channel, and what the broker says of them, to *user*."""
        self._users[number] = _Channel(user)

    def discard_channel(self, number: int) -> None:
        """Undo ``add_channel``: the channel is closed."""
        self._users.pop(number, None)

    # -- events from asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._fd = transport.get_extra_info("socket").fileno()
        fork.add(self._fd)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        fork.discard(self._fd)
        super().connection_lost(exc)
        self.lost(f"the connection to the broker broke: {exc or 'closed by the broker'}")
        self.closed.set_result(None)

    def eof_received(self) -> bool:
        super().eof_received()
        self.lost("the connection to the broker broke: closed by the broker")
        return False  # asyncio's own would leave this direction open

    def data_received(self, data: bytes) -> None:
        self._reads += 1
        if self._rest:
            data = self._rest + data
        passed: list[bytes] = []
        start, end = 0, len(data)
        while end - start >= _OVERHEAD:
            kind, channel, size = _FRAME.unpack_from(data, start)
            if kind not in _TYPES:
                # Not a broker, or another version of the protocol: aiormq reports which, and gives up.
                passed.append(data[start:])
                start = end
                break
            stop = start + _OVERHEAD + size
            if stop > end:
                break
            payload = data[start + 7 : stop - 1]
            found = self._users.get(channel)
            if found is None or not _handle_frame(found, kind, payload):
                if channel == 0 and kind == _METHOD:
                    self._connection_method(payload)
                passed.append(data[start:stop])
            start = stop
        self._rest = data[start:]
        if passed:
            super().data_received(b"".join(passed))
            self._passed_at = self._loop.time()
        elif self._loop.time() - self._passed_at > _HEARTBEAT_INTERVAL:
            super().data_received(_HEARTBEAT)
            self._passed_at = self._loop.time()

    def _connection_method(self, payload: bytes) -> None:
        method = payload[:4]
        if method == _CONNECTION_CLOSE:
            self.lost(f"the broker closed the connection: {_reply(payload)}")
        elif method == _BLOCKED:
            self.blocked(_short(payload, 4) or "no reason given")
        elif method == _UNBLOCKED:
            self.blocked("")


def _handle_frame(channel: _Channel, kind: int, payload: bytes) -> bool:
    """Handle a frame of a channel that has a user; return False if it is aiormq's."""
    user = channel.user
    if kind == _METHOD:
        method = payload[:4]
        if method in (_DELIVER, _RETURN):
            channel.method, channel.pieces = payload, []
            return True
        if method in (_ACK, _NACK):
            user.confirmed(int.from_bytes(payload[4:12]), bool(payload[12] & 1), method == _ACK)
            return True
        if method == _CHANNEL_CLOSE:
            user.channel_closed(_reply(payload))
        elif method == _CANCEL:
            user.channel_closed("the queue was deleted")
        return False
    if not channel.method:
        return False
    if kind == _HEADER:
        channel.header, channel.missing = payload, int.from_bytes(payload[4:12])
    else:
        channel.pieces.append(payload)
        channel.missing -= len(payload)
    if channel.missing <= 0:
        method, channel.method = channel.method, b""
        body = b"".join(channel.pieces)
        if method.startswith(_RETURN):
            user.returned(body)
        else:
            user.delivered(method, channel.header, body)
    return True


def _short(payload: bytes, start: int) -> str:
    return payload[start + 1 : start + 1 + payload[start]].decode(errors="replace")


def _reply(payload: bytes) -> str:
    """Return the code and text with which a channel or a connection is closed."""
    return f"{int.from_bytes(payload[4:6])} {_short(payload, 6)}"
