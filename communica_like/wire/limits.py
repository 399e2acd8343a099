"""Limits: the bounds that a side keeps and announces in the handshake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import Struct
from struct import error as StructError
from typing import ClassVar, Final, Self

from ..exceptions import RemoteProtocolError

KIB: Final = 1024
MIB: Final = 1024 * KIB

MESSAGE_COST: Final = KIB
"""Bytes of credit that a message costs beyond its size.

So a window of bytes is a window of messages, too: 4 MiB allow at most 4,096 of them.
"""

_LARGEST_ROUTE: Final = MESSAGE_COST + 0xFFFF


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one side. Sizes are bytes, times are seconds.

    Announced to the other side:

    Attributes:
        max_message: body of the largest message that is accepted; also the credit for large messages, those
            over *chunk*, that are received but not handled yet.
        window: credit for small messages that are received but not handled yet. Each costs its size and
            MESSAGE_COST.
        replay: bytes that are sent but not acknowledged yet, and kept to be sent again.
        chunk: larger messages travel in pieces of at most this size. The smaller value of both sides holds.
        heartbeat: a link that is silent for so long is broken. The shorter time of both sides holds.
        resume_window: how long a session outlives its last link. The shorter time of both sides holds.

    Not announced:

    Attributes:
        outbox: bytes that wait to be sent or acknowledged before ``throw()`` and ``request()`` wait. In a
            session only a burst of 1 MiB of it waits for the other side's window.
        bulk_in_flight: bytes of large messages that are sent but not acknowledged yet; at least twice
            ``ack_size`` is used. A small value keeps small messages fast; on links with a long round trip,
            raise it for throughput.

    Raises:
        ValueError: a value is out of its range.
    """

    max_message: int = 128 * MIB
    window: int = 4 * MIB
    replay: int = 4 * MIB
    chunk: int = 32 * KIB
    heartbeat: float = 5.0
    resume_window: float = 10.0
    outbox: int = 8 * MIB
    bulk_in_flight: int = 128 * KIB

    WIRE: ClassVar[Struct] = Struct("!QQQIII")

    def __post_init__(self) -> None:
        for name, low, high in (
            ("chunk", 1 * KIB, 16 * MIB),
            ("max_message", 1 * KIB, 1 << 40),
            ("window", MESSAGE_COST, 1 << 40),
            ("replay", 4 * KIB, 1 << 40),
            ("heartbeat", 0.01, 86_400.0),
            ("resume_window", 0.0, 86_400.0),
            ("outbox", 1, 1 << 40),
            ("bulk_in_flight", 1, 1 << 40),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be from {low} to {high}, not {value!r}")
        if self.window < self.chunk + _LARGEST_ROUTE:
            raise ValueError(
                f"window ({self.window}) must hold a message of chunk size "
                f"({self.chunk}) with its route: at least {self.chunk + _LARGEST_ROUTE}"
            )

    @property
    def ack_size(self) -> int:
        """Bytes after which the other side acknowledges at the latest: 64 KiB, or a quarter of ``replay``."""
        return min(64 * KIB, self.replay // 4)

    def encode(self) -> bytes:
        """Return the announced values as 36 bytes."""
        return self.WIRE.pack(
            self.max_message, self.window, self.replay, self.chunk, max(1, round(self.heartbeat * 1000)),
            round(self.resume_window * 1000),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the limits that the other side announced.

        Raises:
            RemoteProtocolError: the size is wrong, or a value is out of range.
        """
        try:
            max_message, window, replay, chunk, heartbeat, resume = cls.WIRE.unpack(data)
            return cls(max_message, window, replay, chunk, heartbeat / 1000, resume / 1000)
        except StructError as exc:
            raise RemoteProtocolError(f"limits of {len(data)} bytes") from exc
        except ValueError as exc:
            raise RemoteProtocolError(f"the other side announced impossible limits: {exc}") from exc

    def agreed_with(self, peer: Limits) -> Self:
        """Return these limits with the times and the chunk size that both sides use."""
        return replace(
            self,
            # A message that is too large for a side must not pass unchecked as a small one.
            chunk=min(self.chunk, peer.chunk, self.max_message, peer.max_message),
            heartbeat=min(self.heartbeat, peer.heartbeat),
            resume_window=min(self.resume_window, peer.resume_window),
        )
