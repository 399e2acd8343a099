"""An Outbound as its session uses it, and what it writes."""

from __future__ import annotations

from typing import Final, TypeAlias

from communica_like.session.outbound import Outbound
from communica_like.session.waiting import Message
from communica_like.wire.frames import CONTINUE, REQUEST, THROW, split_frames
from communica_like.wire.limits import MESSAGE_COST, Limits

__all__ = [
    "CHUNK",
    "FILLERS",
    "KIB",
    "LIMITS",
    "WINDOW",
    "Frame",
    "Sender",
    "idents",
    "large",
    "small",
    "thrown",
]

KIB: Final = 1024
CHUNK: Final = KIB
WINDOW: Final = 70 * KIB
LIMITS: Final = Limits(
    max_message=32 * KIB, window=WINDOW, replay=8 * KIB, chunk=CHUNK, outbox=512 * KIB, bulk_in_flight=4 * KIB
)
FILLERS: Final = WINDOW // (CHUNK + MESSAGE_COST)
"""So many fillers use up the small credit."""

Frame: TypeAlias = tuple[int, int, int, int, int, bytes]
"""What split_frames() returns for each frame."""


class Sender:
    """An open Outbound, and what it writes."""

    def __init__(self, limits: Limits = LIMITS, peer: Limits = LIMITS, *, opened: bool = True) -> None:
        self.outbound = Outbound(limits)
        self.peer = peer
        self.count = 0
        self.large_sent = 0
        if opened:
            self.open()

    def open(self) -> list[Message]:
        """Begin a session; return what is too big for the other side."""
        self.count = 0
        return self.outbound.open(self.peer, min(LIMITS.chunk, self.peer.chunk), 0.0)

    def request(self, ident: int, size: int = 10, deadline: float | None = None, route: bytes = b"") -> bool:
        """Make a request; return False if there is no room for it."""
        return self.outbound.message(REQUEST, ident, deadline, route, bytes(size), 0.0)

    def throw(self, body: bytes, route: bytes = b"") -> bool:
        """Throw; return False if there is no room for it."""
        return self.outbound.message(THROW, 0, None, route, body, 0.0)

    def unsent(self) -> int:
        """Return how many bytes wait to be written."""
        return sum(map(len, self.outbound.frames))

    def flushed(self) -> bool:
        """Return whether all was sent and acknowledged."""
        return self.outbound.flushed

    def more_to_send(self) -> bool:
        """Return whether a large message has more pieces that may go now."""
        return self.outbound.more_to_send

    def fill(self) -> None:
        """Use up the small credit, with frames that are written and acknowledged."""
        for ident in range(1000, 1000 + FILLERS):
            assert self.request(ident, CHUNK)
        self.write_all()

    def write(self) -> list[Frame]:
        """Return the frames of one write."""
        frames = split_frames(self.outbound.data_to_send(0.0))
        self.count += len(frames)
        return frames

    def write_all(self) -> list[Frame]:
        """Return the frames of all writes, each of which is acknowledged."""
        frames = []
        while found := self.write():
            frames += found
            self.ack()
        return frames

    def ack(self, credit: int = 0, bulk_credit: int = 0) -> None:
        """Acknowledge all that was written, and allow so many bytes."""
        self.outbound.acknowledge(self.count, credit, bulk_credit, 0.0)


def idents(frames: list[Frame]) -> list[int]:
    """Return the id of each frame."""
    return [frame[3] for frame in frames]


def thrown(frames: list[Frame]) -> list[bytes]:
    """Return the first bytes of throws, in the order in which their last frames are."""
    order = []
    large: dict[int, bytes] = {}
    for kind, flags, route_size, ident, _, payload in frames:
        if kind == THROW and not flags:
            order.append(payload[route_size : route_size + 2])
        elif kind == THROW:
            large[int.from_bytes(payload[:4], "big")] = payload[12 + route_size : 14 + route_size]
        elif kind == CONTINUE and not flags and ident in large:
            order.append(large.pop(ident))
    assert not large
    return order


def small(name: str) -> bytes:
    """Return a body with this name that fits into one frame."""
    return name.encode().ljust(100, b".")


def large(name: str, size: int = 3 * CHUNK) -> bytes:
    """Return a body with this name that goes out in pieces."""
    return name.encode().ljust(size, b".")
