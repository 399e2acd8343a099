"""Two sessions that talk to each other in virtual time."""

from __future__ import annotations

from typing import Final

from communica_like.session.events import Event
from communica_like.session.session import Session
from communica_like.wire.frames import split_frames
from communica_like.wire.limits import Limits

__all__ = ["ACK_DELAY", "KIB", "LIMITS", "SESSION", "Pair", "kinds"]

KIB: Final = 1024
LIMITS: Final = Limits(
    max_message=32 * KIB,
    window=70 * KIB,
    replay=8 * KIB,
    chunk=KIB,
    heartbeat=5.0,
    resume_window=10.0,
)
SESSION: Final = bytes(range(16))
"""The id of every session."""
ACK_DELAY: Final = 0.05
"""So many seconds an acknowledgement waits for company."""


class Pair:
    """Two sessions and a perfect link."""

    def __init__(self, *, live: bool = True, limits: Limits = LIMITS, peer: Limits = LIMITS) -> None:
        self.now = 100.0
        self.a, self.b = Session(limits), Session(peer)
        self.events: dict[Session, list[Event]] = {self.a: [], self.b: []}
        if live:
            self.establish()

    def establish(self) -> list[Event]:
        """Begin a session; return what the first side hears of it."""
        self.b.establish(SESSION, self.a.limits, self.now)
        return self.a.establish(SESSION, self.b.limits, self.now)

    def carry(self, sender: Session) -> list[Event]:
        """Deliver what *sender* has to send; return what the other side makes of it."""
        receiver = self.b if sender is self.a else self.a
        events: list[Event] = []
        while data := sender.data_to_send(self.now):
            events += receiver.receive(data, self.now)
        return events

    def settle(self) -> None:
        """Let all acknowledgements arrive."""
        for _ in range(4):
            for session in (self.a, self.b):
                session.ask_for_ack()
                self.carry(session)

    def lose_link(self) -> None:
        """The link breaks, and both sides notice."""
        self.a.lose_link(self.now)
        self.b.lose_link(self.now)

    def resume(self) -> None:
        """A new link for the session."""
        counts = self.a.received, self.b.received
        self.a.resume(counts[1], self.now)
        self.b.resume(counts[0], self.now)

    def wait(self, seconds: float) -> list[Event]:
        """Return the events of the first session's clock."""
        self.now += seconds
        return self.a.tick(self.now)


def kinds(data: bytes) -> list[int]:
    """Return the kind of each frame."""
    return [frame[0] for frame in split_frames(data)]
