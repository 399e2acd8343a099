"""Session: requests and responses, deadlines and acknowledgements, over one link after another."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..exceptions import RemoteProtocolError
from ..wire.failure import TOO_BIG, Failure
from ..wire.frames import ACK, ACK_BODY, ERROR, GOODBYE, PING, REQUEST, THROW, control
from ..wire.greetings import NO_SESSION, Reason
from ..wire.limits import MESSAGE_COST, Limits
from .events import BROKEN, DROPPED, EXPIRED, LINK_DEAD, TIMED_OUT, Event
from .inbound import Inbound
from .outbound import Outbound
from .transitions import State, after
from .waiting import Message

_ACK_DELAY: Final = 0.05
"""Seconds. Delayed ACK: how long an acknowledgement is held back to be sent along with others."""

_NEVER: Final = float("inf")


class Lost(NamedTuple):
    """The messages that are lost with a session.

    Attributes:
        unknown: tokens of requests that were sent, and may have been handled.
        unsent: tokens of requests that certainly were not handled.
        throws: how many throws were not acknowledged.
    """

    unknown: list[Any]
    unsent: list[Any]
    throws: int


class Session:
    """One side of a conversation. Its driver brings links and the time.

    Times are seconds of any monotonic clock. A session is not thread-safe, and methods must not be called
    from within others.

    Args:
        limits: this side's limits.

    Attributes:
        state: its state in the table of ``transitions``.
        session_id: its id, the same on both sides; NO_SESSION before the first handshake.
        next_deadline: when to call ``tick``; it may change with every call.
        pending: tokens of the requests that wait for a response, by id. Read-only.
        answer: sends the result of a request of the other side, as ``answer(ident, body)``. To be called once
            for each request that was not cancelled, unless ``fail`` is.
        bulk: the large messages that wait or are under way. Read-only.
        only: tells about the last ``receive``. RESULT: all events are results, and nothing has to be sent.
            REQUEST: all events are small requests and throws. 0: anything else.
        agreed: this side's limits, as changed by the handshake.
        peer_limits: the other side's limits.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.agreed = limits
        self.peer_limits = limits
        self.state = State.NEW
        self.session_id = NO_SESSION
        self.next_deadline = _NEVER
        self.pending: dict[int, Any] = {}
        self._deadlines: dict[int, float] = {}
        self._idempotent: dict[int, tuple[bytes, bytes]] = {}
        # Idempotent requests that were already sent in an earlier session.
        self._sent_before: set[int] = set()
        self._last_id = 0
        self.only = 0
        self._control: list[bytes] = []
        self._events: list[Event] = []
        self._outbound = Outbound(limits)
        self._frames = self._outbound.frames
        self.answer = self._outbound.answer
        self.bulk = self._outbound.bulk
        self._inbound = Inbound(limits, self.pending, self._idempotent, self._on_control)
        self._now = 0.0
        self._heard = 0.0
        # The value of _heard when the last PING was sent.
        self._pinged_after = _NEVER
        self._suspended = 0.0
        self._ack_at = _NEVER

    # -- links

    def establish(self, session_id: bytes, peer: Limits, now: float) -> list[Event]:
        """Start a new session on a new link, after the handshake. Waiting messages may be sent.

        Returns:
            ERROR and DROPPED events for waiting messages that are larger than the other side accepts.
        """
        self.state = after(self.state, "establish")
        self.session_id = session_id
        self.peer_limits = peer
        self.agreed = self.limits.agreed_with(peer)
        self._inbound.open(self.agreed.chunk, peer.ack_size)
        refused = self._outbound.open(peer, self.agreed.chunk, now)
        self._link_up(now)
        return [self._refuse(message) for message in refused]

    def can_resume(self, peer_received: int) -> bool:
        """Whether the other side may have received that many frames, so that ``resume`` will not raise."""
        return self._outbound.can_rewind(peer_received)

    def resume(self, peer_received: int, now: float) -> None:
        """Continue the session on a new link, and send again what the other side has not received.

        Args:
            peer_received: how many sequenced frames the other side has received.

        Raises:
            RemoteProtocolError: the other side claims frames that were never sent.
        """
        replay = self._outbound.rewind(peer_received, now)
        self.state = after(self.state, "resume")
        self._link_up(now)
        self._inbound.ack_due = True
        if replay:
            self._control.append(replay)

    def lose_link(self, now: float) -> None:
        """Suspend the session, whose link has broken, until it resumes or the resume window has passed."""
        self.state = after(self.state, "lose_link")
        self._suspended = now
        self._inbound.link_lost()
        self._control.clear()
        self._ack_at = _NEVER
        self._schedule()

    def end(self, *, keep: bool) -> Lost:
        """End the session. A new one may be established later.

        Args:
            keep: keep messages that may be sent in the next session: requests that were not sent or are
                idempotent, and throws that are not acknowledged. Otherwise all are lost.
        """
        self.state = after(self.state, "end")
        self.session_id = NO_SESSION
        self._inbound.open(self.limits.chunk, self.limits.ack_size)
        self._control.clear()
        self._ack_at = _NEVER
        written, unwritten = self._outbound.take_back()
        pending = self.pending
        unsent = [m for m in unwritten if m.kind == REQUEST and m.ident in pending]
        unsent_ids = {m.ident for m in unsent}
        surely_unsent = unsent_ids - self._sent_before
        if not keep:
            throws = sum(m.kind == THROW for m in [*written, *unwritten])
            unknown = [token for ident, token in pending.items() if ident not in surely_unsent]
            lost = Lost(unknown, [pending[ident] for ident in pending if ident in surely_unsent], throws)
            for state in (pending, self._deadlines, self._idempotent, self._sent_before):
                state.clear()
        else:
            again = [
                Message(REQUEST, ident, self._deadlines.get(ident), *message)
                for ident, message in self._idempotent.items()
                if ident in pending and ident not in unsent_ids
            ]
            self._sent_before.update(m.ident for m in again)
            gone = [i for i in pending if i not in self._idempotent and i not in unsent_ids]
            lost = Lost([pending.pop(ident) for ident in gone], [], 0)
            for ident in gone:
                self.release(ident)
            kept = [*(m for m in written if m.kind == THROW), *again, *unwritten]
            for m in kept:
                if m.kind == THROW or m.ident in pending:
                    deadline = self._deadlines.get(m.ident) if m.kind == REQUEST else None
                    self._outbound.queue(*m._replace(deadline=deadline), self._now)
        self._schedule()
        return lost

    # -- messages

    def request(
        self, token: object, route: bytes, body: bytes, now: float, deadline: float | None = None,
        idempotent: bool = False,
    ) -> int:
        """Send a request, or queue it. Return its id, or 0 if the outbox is full.

        One event returns *token*, unless the request is cancelled; or the end of the session returns it.

        Args:
            token: any object that stands for the request.
            deadline: when it times out, by the clock of *now*; None: never.
            idempotent: whether it may be sent again in the next session.

        Raises:
            MessageTooBig: one of the two sides does not accept its size.
        """
        ident = self._last_id + 1
        if not self._outbound.message(REQUEST, ident, deadline, route, body, now):
            return 0
        self._last_id = ident
        self.pending[ident] = token
        if deadline is not None:
            self._add_deadline(ident, deadline)
        if idempotent:
            self._idempotent[ident] = (route, body)
        return ident

    def throw(self, route: bytes, body: bytes, now: float) -> bool:
        """Send a throw, or queue it. Return False, without taking it, if the outbox is full.

        Raises:
            MessageTooBig: one of the two sides does not accept its size.
        """
        return self._outbound.message(THROW, 0, None, route, body, now)

    def cancel(self, ident: int) -> None:
        """Cancel a request: report no response, and tell the other side to cancel its handler."""
        if self.pending.pop(ident, None) is not None:
            self._outbound.cancel_request(ident, self._now)
        self.release(ident)

    def was_sent_before(self, ident: int) -> bool:
        """Whether a pending idempotent request was sent in an earlier session."""
        return ident in self._sent_before

    def release(self, ident: int) -> None:
        """Drop the deadline and the copy of a request that has ended.

        Must be called for each request with a deadline, and each idempotent one, whose token was returned.
        """
        self._deadlines.pop(ident, None)
        self._idempotent.pop(ident, None)
        self._sent_before.discard(ident)

    def fail(self, ident: int, failure: Failure) -> None:
        """Send a failure as the response to a request of the other side."""
        self._outbound.reply(ERROR, ident, failure.kind, failure.encode())

    def drop_answer(self, ident: int) -> None:
        """Stop sending a response whose request the other side has cancelled."""
        self._outbound.cancel_reply(ident)

    def last_cost(self) -> tuple[int, int]:
        """Return the credit that the last ``receive`` cost. Must be called each time that ``only`` is 0."""
        return self._inbound.last_cost()

    def cost(self, route: bytes, body: bytes) -> tuple[int, int]:
        """Return the credit of a REQUEST or THROW event, for small and for large messages."""
        if len(body) > self.agreed.chunk:
            return 0, len(body)
        return len(route) + len(body) + MESSAGE_COST, 0

    def handled(self, cost: tuple[int, int]) -> None:
        """Return the credit of events that were handled to the other side."""
        self._inbound.handled(*cost)
        self._schedule_delayed_ack()

    def hold(self, cost: tuple[int, int]) -> None:
        """Withhold the credit of events that were just received, until ``handled`` returns it."""
        self._inbound.hold(*cost)

    @property
    def congested(self) -> bool:
        """Whether so many responses wait to be sent that no more requests should be handled for now.

        This depends on the link and on acknowledgements alone, never on credit, so two sides that flood each
        other with requests cannot block each other.
        """
        return self._outbound.congested

    # -- bytes

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take bytes from the link, cut anywhere, and return their events, in order.

        The credit of messages is returned with the next acknowledgement, unless ``hold`` is called before.
        """
        self._now = self._heard = now
        events: list[Event] = []
        self._events = events
        try:
            self.only = self._inbound.receive(data, events, now)
        except RemoteProtocolError as exc:
            self.only = 0
            events.append((BROKEN, exc, 0, b"", b""))
        if self._ack_at == _NEVER:
            self._schedule_delayed_ack()
        return events

    @property
    def more_to_send(self) -> bool:
        """Whether ``data_to_send`` left pieces of large messages for the next call."""
        return self._outbound.more_to_send

    def data_to_send(self, now: float) -> bytes:
        """Return bytes for the link: all small messages, and one piece of a large one.

        Call it again while ``more_to_send``, and only while LIVE.
        """
        data = self._outbound.data_to_send(now) if self._frames or self.bulk.busy else b""
        if self._inbound.ack_due:
            self._control.append(self._inbound.ack())
            self._ack_at = _NEVER
        if self._control:
            data = b"".join((*self._control, data))
            self._control.clear()
        return data

    def say_goodbye(self, reason: Reason) -> None:
        """Send a GOODBYE, after an acknowledgement of all that was received. ``end`` has to follow."""
        self._control.append(self._inbound.ack())
        self._control.append(control(GOODBYE, reason.encode(), arg=reason.code))

    def ask_for_ack(self) -> None:
        """Ask the other side to acknowledge all that it has received, at once."""
        self._control.append(control(PING))

    # -- time

    def tick(self, now: float) -> list[Event]:
        """Process everything that is due at *now*, and update ``next_deadline``."""
        self._now = now
        events: list[Event] = []
        self._events = events
        self._expire_requests(now)
        if self.state is State.LIVE:
            self._outbound.calm_down()
            if self._ack_at <= now:
                self._ack_at = _NEVER
                self._inbound.ack_due = self._inbound.ack_due or self._inbound.ack_owed
            silence = now - self._heard
            if silence >= self.agreed.heartbeat:
                events.append((LINK_DEAD, f"silent for {silence:.1f} s", 0, b"", b""))
            elif silence >= self.agreed.heartbeat / 2 and self._pinged_after != self._heard:
                self._pinged_after = self._heard
                self.ask_for_ack()
        elif self.state is State.SUSPENDED and now >= self._suspended + self.agreed.resume_window:
            events.append((EXPIRED, 0, 0, b"", b""))
        self._schedule()
        return events

    # -- how full it is

    @property
    def has_room(self) -> bool:
        """Whether the outbox takes small messages."""
        return self._outbound.has_room

    @property
    def buffered(self) -> int:
        """Bytes of small messages that wait, or are not acknowledged yet."""
        return self._outbound.buffered

    @property
    def bulk_buffered(self) -> int:
        """Bytes of large messages that wait or are under way."""
        return self._outbound.bulk_buffered

    @property
    def flushed(self) -> bool:
        """Whether everything was sent and acknowledged."""
        return self._outbound.flushed

    @property
    def received(self) -> int:
        """How many sequenced frames were received in this session, which a handshake tells the other side."""
        return self._inbound.count

    # -- inside

    def _schedule_delayed_ack(self) -> None:
        if self._ack_at == _NEVER and self._inbound.ack_owed:
            self._ack_at = self._now + _ACK_DELAY
            if self._ack_at < self.next_deadline:
                self.next_deadline = self._ack_at

    def _link_up(self, now: float) -> None:
        self._now = self._heard = now
        self._pinged_after = _NEVER
        self._ack_at = _NEVER
        self._schedule()

    def _on_control(self, kind: int, ident: int, arg: int, payload: bytes) -> None:
        if kind == ACK:
            if len(payload) != ACK_BODY.size:
                raise RemoteProtocolError(f"ACK of {len(payload)} bytes")
            credit, bulk_credit = ACK_BODY.unpack(payload)
            self._outbound.acknowledge(ident, credit, bulk_credit, self._now)
        elif kind == PING:
            self._inbound.ack_due = True
        elif kind == GOODBYE:
            self._events.append((GOODBYE, 0, arg, b"", payload))
        elif kind >= 32:
            raise RemoteProtocolError(f"a greeting (kind {kind}) after the handshake")
        # else: a control frame of a later version, to be ignored

    def _add_deadline(self, ident: int, deadline: float) -> None:
        self._deadlines[ident] = deadline
        if deadline < self.next_deadline:
            self.next_deadline = deadline

    def _expire_requests(self, now: float) -> None:
        for ident in [ident for ident, deadline in self._deadlines.items() if deadline <= now]:
            token = self.pending.get(ident)
            if token is not None:
                unsent = self.state is State.NEW and ident not in self._sent_before
                self._events.append((TIMED_OUT, token, int(unsent), b"", b""))
            self.cancel(ident)

    def _refuse(self, message: Message) -> Event:
        size, limit = len(message.body), self.peer_limits.max_message
        if message.kind == THROW:
            return (DROPPED, 0, size, b"", b"")
        failure = Failure(TOO_BIG, f"{size} bytes; the other side accepts at most {limit}")
        return (ERROR, self.pending.pop(message.ident), TOO_BIG, b"", failure.encode())

    def _schedule(self) -> None:
        deadline = min(self._deadlines.values(), default=_NEVER)
        if self.state is State.LIVE:
            pinged = self._pinged_after == self._heard
            beat = self.agreed.heartbeat if pinged else self.agreed.heartbeat / 2
            deadline = min(deadline, self._ack_at, self._heard + beat)
        elif self.state is State.SUSPENDED:
            deadline = min(deadline, self._suspended + self.agreed.resume_window)
        self.next_deadline = deadline
