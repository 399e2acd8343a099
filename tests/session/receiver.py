"""An Inbound, and the frames that it is fed."""

from __future__ import annotations

from typing import Any

import pytest

from communica_like.exceptions import RemoteProtocolError
from communica_like.session.events import Event
from communica_like.session.inbound import Inbound
from communica_like.wire.frames import (
    ACK,
    ACK_BODY,
    CONTINUE,
    HEADER,
    MORE,
    MORE_PREFIX,
    split_frames,
)
from communica_like.wire.limits import Limits

__all__ = ["CHUNK", "KIB", "LIMITS", "WINDOW", "Receiver", "begin", "frame", "piece"]

KIB = 1024
CHUNK = KIB
WINDOW = 70 * KIB
LIMITS = Limits(max_message=32 * KIB, window=WINDOW, replay=8 * KIB, chunk=CHUNK)


class Receiver:
    """An Inbound with what it reports."""

    def __init__(self, *tokens: int) -> None:
        self.pending: dict[int, Any] = {token: f"token {token}" for token in tokens}
        self.repeatable: set[int] = set()
        self.controls: list[tuple[int, int, int, bytes]] = []
        self.events: list[Event] = []
        self.inbound = Inbound(
            LIMITS, self.pending, self.repeatable, lambda *frame: self.controls.append(frame)
        )

    def take(self, data: bytes, now: float = 0.0) -> list[Event]:
        """Return the events of *data* alone."""
        self.events.clear()
        self.inbound.receive(data, self.events, now)
        return list(self.events)

    def refuses(self, data: bytes, complaint: str) -> None:
        """Take what breaks the protocol."""
        with pytest.raises(RemoteProtocolError, match=complaint):
            self.take(data)

    def due(self) -> bool:
        """Whether an acknowledgement should go now."""
        return self.inbound.ack_due

    def owed(self) -> bool:
        """Whether there is anything to acknowledge."""
        return self.inbound.ack_owed

    def ack(self) -> tuple[int, int, int]:
        """Return the count and the credits of an acknowledgement."""
        ((kind, _, _, count, _, body),) = split_frames(self.inbound.ack())
        assert kind == ACK
        credit, bulk_credit = ACK_BODY.unpack(body)
        return count, credit, bulk_credit


def frame(
    kind: int, payload: bytes = b"", ident: int = 0, arg: int = 0, *, route: int = 0, flags: int = 0
) -> bytes:
    """A frame of any kind."""
    return HEADER.pack(len(payload), kind, flags, route, ident, arg) + payload


def begin(
    kind: int,
    total: int,
    piece: int = CHUNK,
    *,
    stream: int = 1,
    ident: int = 0,
    arg: int = 0,
    route: bytes = b"",
) -> bytes:
    """The first piece of a large message."""
    payload = MORE_PREFIX.pack(stream, total) + route + bytes(piece)
    return frame(kind, payload, ident, arg, route=len(route), flags=MORE)


def piece(size: int, *, stream: int = 1, more: bool = False) -> bytes:
    """A further piece of one."""
    return frame(CONTINUE, bytes(size), stream, flags=MORE if more else 0)
