"""AMQP frames below aiormq: messages are read and written here, all other frames pass through to aiormq.

aiormq opens the connection, its channels and queues, and sends heartbeats. A message would cost a task and
several turns of the event loop there; here it costs neither, and is written at once.
"""

from __future__ import annotations

import asyncio
from struct import Struct
from typing import Final, Protocol, cast

from ...system import fork

# https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, section 4.2.
_FRAME: Final = Struct("!BHI")  # type, channel, size of the payload; after it comes _END
_END: Final = b"\xce"
_OVERHEAD: Final = 8
_METHOD, _HEADER, _BODY = 1, 2, 3
_TYPES: Final = (_METHOD, _HEADER, _BODY, 8)

_IDS: Final = Struct("!HH")  # class and method
_CONNECTION_CLOSE: Final = (10, 50)
_BLOCKED: Final = (10, 60)
_UNBLOCKED: Final = (10, 61)
_CHANNEL_CLOSE: Final = (20, 40)
_CANCEL: Final = (60, 30)
_PUBLISH: Final = (60, 40)
_RETURN: Final = (60, 50)
_DELIVER: Final = (60, 60)
_ACK: Final = (60, 80)
_NACK: Final = (60, 120)

_CONTENT: Final = Struct("!BHIHHQH")  # the frame of a content header without properties, but for its end
_ACK_OR_NACK: Final = Struct("!BHIHHQB")
# aiormq gives up a connection on which it sees nothing: this is what it is shown.
_HEARTBEAT: Final = _FRAME.pack(8, 0, 0) + _END
_HEARTBEAT_INTERVAL: Final = 1.0  # seconds


class ChannelUser:
    """Receives the messages of a channel. Its methods are events."""

    def delivered(self, method: bytes, header: bytes, body: bytes, /) -> None:
        """A message was delivered; *method* and *header* are the payloads of those frames."""

    def returned(self, method: bytes, body: bytes, /) -> None:
        """A mandatory message came back, because no queue takes it."""

    def confirmed(self, tag: int, multiple: bool, taken: bool, /) -> None:
        """The broker took, or (not *taken*) refused, a message or (*multiple*) all so far."""

    def channel_closed(self, reason: str, /) -> None:
        """The broker closed the channel, or its consumer."""


class ConnectionUser(Protocol):
    """Receives the events of a connection."""

    def connection_lost(self, reason: str, /) -> None:
        """The connection is gone."""

    def blocked(self, reason: str, /) -> None:
        """The broker takes no messages; ``""``: it does again."""

    def writable_changed(self, writable: bool, /) -> None:
        """The transport's buffer is full, or (*writable*) has room again."""


class _Content:
    """A message of which some frames have arrived."""

    def __init__(self, method: bytes, returned: bool) -> None:
        self.method = method
        self.header = b""
        self.returned = returned
        self.size = 0
        self.received = 0
        self.pieces: list[bytes] = []


class BasicPublish:
    """Publishes messages with one routing key.

    Args:
        transport: the connection's.
        channel: the number of the channel to publish on.
        largest_frame: in bytes, as agreed with the broker; 0: no limit.
        exchange: the exchange's name.
        key: the routing key.
        mandatory: have the broker return messages that no queue takes.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        channel: int,
        largest_frame: int,
        exchange: str,
        key: str,
        *,
        mandatory: bool,
    ) -> None:
        names = b"".join(bytes([len(name)]) + name for name in (exchange.encode(), key.encode()))
        method = _IDS.pack(*_PUBLISH) + b"\0\0" + names + bytes([mandatory])
        self._transport = transport
        self._channel = channel
        self._largest = (largest_frame or 128 * 1024) - _OVERHEAD
        self._method = _FRAME.pack(_METHOD, channel, len(method)) + method + _END

    def publish(self, header: bytes, data: bytes | memoryview) -> None:
        """Write a message whose body is *header* and *data*, at once."""
        if not self._transport.is_closing():
            self._transport.write(self.frames(header, data))

    def frames(self, header: bytes, data: bytes | memoryview, content: bytes = b"") -> bytes:
        """Return the frames of such a message.

        Args:
            content: the payload of the content header, if the message has properties.
        """
        size = len(header) + len(data)
        channel = self._channel
        parts: list[bytes | memoryview] = [
            self._method,
            _FRAME.pack(_HEADER, channel, len(content)) + content
            if content
            else _CONTENT.pack(_HEADER, channel, 14, 60, 0, size, 0),
            _END,
        ]
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
    return _ACK_OR_NACK.pack(_METHOD, channel, 13, *_ACK, tag, multiple) + _END


def nack_frame(channel: int, tag: int, *, requeue: bool) -> bytes:
    """Return the frame that rejects a delivery; *requeue*: not to dead-letter it."""
    return _ACK_OR_NACK.pack(_METHOD, channel, 13, *_NACK, tag, 2 if requeue else 0) + _END


class AmqpProtocol(asyncio.StreamReaderProtocol):
    """asyncio's protocol of streams, which keeps messages from aiormq.

    Args:
        reader: what aiormq reads.
        user: receives the connection's events.

    Attributes:
        transport: the connection's.
        closed: done when the connection is lost.
        reads: how often bytes arrived.
    """

    transport: asyncio.Transport

    def __init__(self, reader: asyncio.StreamReader, user: ConnectionUser) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(reader, loop=loop)
        self._clock = loop.time
        self._user = user
        self._fd = -1
        self._rest = b""
        self._raw = False
        self._passed_at = 0.0
        self._channels: dict[int, ChannelUser] = {}
        self._contents: dict[int, _Content] = {}
        self.reads = 0
        self.closed: asyncio.Future[None] = loop.create_future()

    def add_channel(self, number: int, user: ChannelUser) -> None:
        """Give the messages of this channel, and what the broker says of them, to *user*."""
        self._channels[number] = user

    def discard_channel(self, number: int) -> None:
        """Undo ``add_channel``: the channel is closed."""
        self._channels.pop(number, None)
        self._contents.pop(number, None)

    # -- events from asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            self._fd = sock.fileno()
            fork.add(self._fd)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        fork.discard(self._fd)
        super().connection_lost(exc)
        self._user.connection_lost(f"the connection to the broker broke: {exc or 'closed by the broker'}")
        if not self.closed.done():
            self.closed.set_result(None)

    def eof_received(self) -> bool:
        super().eof_received()
        self._user.connection_lost("the connection to the broker broke: closed by the broker")
        return False  # asyncio's own would leave this direction open

    def pause_writing(self) -> None:
        super().pause_writing()
        self._user.writable_changed(False)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._user.writable_changed(True)

    def data_received(self, data: bytes) -> None:
        self.reads += 1
        if self._raw:
            super().data_received(data)
            return
        if self._rest:
            data = self._rest + data
        passed: list[bytes] = []
        start, end = 0, len(data)
        while end - start >= _OVERHEAD:
            kind, channel, size = _FRAME.unpack_from(data, start)
            if kind not in _TYPES:
                # Not a broker, or a version of the protocol: aiormq reports which.
                self._raw = True
                passed.append(data[start:])
                start = end
                break
            stop = start + _OVERHEAD + size
            if stop > end:
                break
            payload = data[start + 7 : stop - 1]
            user = self._channels.get(channel)
            if user is None or not self._channel_frame(user, kind, channel, payload):
                if channel == 0 and kind == _METHOD:
                    self._connection_method(payload)
                passed.append(data[start:stop])
            start = stop
        self._rest = data[start:]
        if passed:
            super().data_received(b"".join(passed))
            self._passed_at = self._clock()
        elif self._clock() - self._passed_at > _HEARTBEAT_INTERVAL:
            super().data_received(_HEARTBEAT)
            self._passed_at = self._clock()

    # -- frames

    def _channel_frame(self, user: ChannelUser, kind: int, channel: int, payload: bytes) -> bool:
        """Handle a frame of one of the channels; return False if it is aiormq's."""
        if kind == _METHOD:
            method = _IDS.unpack_from(payload)
            if method in (_DELIVER, _RETURN):
                self._contents[channel] = _Content(payload, method == _RETURN)
                return True
            if method in (_ACK, _NACK):
                tag, flags = int.from_bytes(payload[4:12]), payload[12]
                user.confirmed(tag, bool(flags & 1), method == _ACK)
                return True
            if method == _CHANNEL_CLOSE:
                user.channel_closed(_reply(payload))
            elif method == _CANCEL:
                user.channel_closed("the queue was deleted")
            return False
        content = self._contents.get(channel)
        if content is None:
            return False
        if kind == _HEADER:
            content.size = int.from_bytes(payload[4:12])
            content.header = payload
        else:
            content.pieces.append(payload)
            content.received += len(payload)
        if content.received >= content.size:
            del self._contents[channel]
            pieces = content.pieces
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if content.returned:
                user.returned(content.method, body)
            else:
                user.delivered(content.method, content.header, body)
        return True

    def _connection_method(self, payload: bytes) -> None:
        method = _IDS.unpack_from(payload)
        if method == _CONNECTION_CLOSE:
            self._user.connection_lost(f"the broker closed the connection: {_reply(payload)}")
        elif method == _BLOCKED:
            self._user.blocked(_short(payload, 4) or "no reason given")
        elif method == _UNBLOCKED:
            self._user.blocked("")


def _short(payload: bytes, start: int) -> str:
    return payload[start + 1 : start + 1 + payload[start]].decode(errors="replace")


def _reply(payload: bytes) -> str:
    """Return the code and text with which a channel or a connection is closed."""
    return f"{int.from_bytes(payload[4:6])} {_short(payload, 6)}"
