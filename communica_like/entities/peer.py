"""One conversation in progress: drives a Session over one Link after another."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..abc import Link, PeerIdentity
from ..exceptions import ConnectionLost, MessageTooBig, RequestTimeout
from ..session import Event, Session
from ..session.events import (
    BROKEN,
    CANCEL,
    DROPPED,
    ERROR,
    EXPIRED,
    GOODBYE,
    LINK_DEAD,
    RESULT,
    THROW,
    TIMED_OUT,
)
from ..wire.failure import Failure
from ..wire.greetings import Reason
from ..wire.limits import MESSAGE_COST, Limits
from .context import inherited_deadline
from .dispatcher import Dispatcher
from .farewell import Farewell
from .handlers import Handler
from .host_pool import HostPool

__all__ = ["Peer"]

logger = logging.getLogger("communica_like")

_WRITE_SIZE: Final = 64 * 1024
_NEVER: Final = float("inf")


class Peer:
    """This side's half of the conversation with one other side. It is the receiver of its link.

    Args:
        client_id: the client's id.
        limits: this side's limits.
        handlers, missing, pool: see Dispatcher.
        farewells: where links go that are not used any more.
        keep: whether what was not accepted waits for a next session (a client's side), or is lost.
        on_link_lost: called when the link broke; the session waits for another.
        on_ended: called with the reason when the session is over.
    """

    def __init__(
        self,
        client_id: str,
        limits: Limits,
        handlers: Mapping[bytes, Handler],
        missing: Failure,
        pool: HostPool,
        farewells: set[Farewell],
        *,
        keep: bool,
        on_link_lost: Callable[[Peer], None],
        on_ended: Callable[[Peer, Reason | None], None],
    ) -> None:
        self.client_id = client_id
        self.limits = limits
        self.session = Session(limits)
        self.dispatcher = Dispatcher(self.session, handlers, missing, client_id, pool, self._on_answer)
        self.identity: PeerIdentity | None = None
        self.closed: Exception | None = None
        self._keep = keep
        self._on_link_lost = on_link_lost
        self._on_ended = on_ended
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._link: Link | None = None
        self._reading = False
        self._flush_scheduled = False
        self._unflushed = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = _NEVER
        self._backlog: deque[Event] = deque()
        self._room_waiters: deque[asyncio.Future[None]] = deque()
        self._flush_waiter: asyncio.Future[None] | None = None
        self._farewells = farewells

    def __repr__(self) -> str:
        return f"<Peer {self.client_id} {self.session.state.value}>"

    # -- links and sessions

    @property
    def live(self) -> bool:
        """Whether there is a link."""
        return self._link is not None

    def establish(self, link: Link, session_id: bytes, limits: Limits, rest: bytes) -> None:
        """Begin a session on a link whose handshake is done; *rest* is what followed it."""
        events = self.session.establish(session_id, limits, self._time())
        self._take(link)
        self._handle(events)
        self._start_reading(rest)

    def resume(self, link: Link, received: int, rest: bytes) -> None:
        """Go on with the session on another link.

        Raises:
            RemoteProtocolError: the other side claims frames that were never sent.
        """
        if self._link is not None:
            self.drop_link()
        self.session.resume(received, self._time())
        self._take(link)
        self._start_reading(rest)

    def end(self, text: str, reason: Reason | None = None, *, tell: bool = False) -> None:
        """The session is over: settle its requests and break the link.

        Args:
            text: why, for the exceptions and the log.
            reason: why, for the other side if *tell*, and for on_ended.
        """
        session = self.session
        link = self._link
        if link is not None and tell and reason is not None:
            session.say_goodbye(reason)
            self.flush()
        self._link = None
        self._backlog.clear()
        lost = session.end(keep=self._keep)
        self.dispatcher.forget_session()
        if lost.throws:
            logger.error("%s: %d throws to %r were lost", text, lost.throws, self.client_id)
        for tokens, sent in ((lost.unknown, True), (lost.unsent, False)):
            for token in tokens:
                if not token.done():
                    token.set_exception(self.closed or ConnectionLost(text, sent=sent))
        if link is not None:
            Farewell(link, self._farewells)
        self.stop_timer()
        self._settle()
        self._on_ended(self, reason)

    def end_for_good(self, reason: Reason) -> None:
        """The entity closes: the session is over, nothing is kept, and no time is left."""
        self._keep = False
        self.end(reason.text, reason, tell=True)

    def fail_waiting(self, text: str, cause: Exception) -> None:
        """Requests that wait for a session will not get one: end them as not sent. Throws wait on."""
        for ident, token in list(self.session.pending.items()):
            self.session.cancel(ident)
            if not token.done():
                error = ConnectionLost(text, sent=False)
                error.__cause__ = cause
                token.set_exception(error)
        self._settle()

    # -- what entities call

    async def request(
        self, route: bytes, body: bytes, timeout: float | None = None, idempotent: bool = False
    ) -> bytes:
        """Send a request; return the body of its answer. See RouteClient.request."""
        deadline = inherited_deadline.get()
        if timeout is not None:
            own = self._time() + timeout
            deadline = own if deadline is None else min(deadline, own)
        if self.closed is not None or self.is_full(body):
            await self._room(body, deadline)
        session = self.session
        future: asyncio.Future[bytes] = self._loop.create_future()
        now = 0.0
        if deadline is not None:
            now = self._time()
            if deadline <= now:
                raise RequestTimeout("the time was over before it was sent")
        ident = session.request(future, route, body, now, deadline, idempotent)
        self._written(len(body), urgent=len(session.pending) == 1)
        try:
            return await future
        except asyncio.CancelledError:
            # Cancelled here; the handler is told. If the answer is there already, nothing happens.
            session.cancel(ident)
            self._written(0, urgent=False)
            raise
        finally:
            if deadline is not None or idempotent:
                session.release(ident)

    async def throw(self, route: bytes, body: bytes) -> None:
        """Send a throw, when there is room for it."""
        if self.closed is not None or self.is_full(body):
            await self._room(body, inherited_deadline.get())
        self.post(route, body)

    def post(self, route: bytes, body: bytes) -> None:
        """Send a throw now. ``is_full`` and ``closed`` have been looked at."""
        self.session.throw(route, body, 0.0)
        self._written(len(body), urgent=False)

    def is_full(self, body: bytes) -> bool:
        """Whether there is no room for this message now.

        Raises:
            MessageTooBig: there never will be.
        """
        size = len(body)
        session = self.session
        if size <= session.agreed.chunk:
            return session.buffered >= self.limits.outbox
        limit = min(self.limits.max_message, session.peer_limits.max_message)
        if size > limit:
            raise MessageTooBig(f"{size} bytes; at most {limit} are allowed")
        return session.bulk_buffered > 0 and session.bulk_buffered + size > self.limits.max_message

    # -- the link's reports

    def data_received(self, data: bytes) -> None:
        self._reading = True
        try:
            self._handle(self.session.receive(data, self._time()))
        finally:
            self._reading = False
            self._settle()

    def link_writable(self) -> None:
        self.flush()
        self._settle()

    def link_broken(self, error: Exception | None) -> None:
        if self._link is None:
            return
        self._link = None
        self.session.lose_link(self._time())
        self._arm()
        logger.info("link of %r lost: %s", self.client_id, error or "closed by the other side")
        self._on_link_lost(self)

    # -- closing

    def refuse_calls(self, error: Exception) -> None:
        """From now on all calls raise *error*; those that wait do so too. Throws are still delivered."""
        self.closed = error
        self.dispatcher.closing = True
        for ident, token in list(self.session.pending.items()):
            self.session.cancel(ident)
            if not token.done():
                token.set_exception(error)
        self._wake(self._room_waiters)
        self._written(0, urgent=False)

    async def flushed(self) -> None:
        """Wait until all throws and answers are delivered."""
        while not self.session.flushed:
            if self._link is not None:
                self.session.ask_for_ack()
                self.flush()
            if self._flush_waiter is None:
                self._flush_waiter = self._loop.create_future()
            await asyncio.shield(self._flush_waiter)

    def stop_timer(self) -> None:
        """No more deadlines."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, _NEVER

    # -- writing

    def flush(self) -> None:
        """Give the link what it takes."""
        self._flush_scheduled = False
        self._unflushed = 0
        link = self._link
        session = self.session
        if link is not None:
            now = self._time()
            while link.writable and (data := session.data_to_send(now)):
                link.send(data)
        if session.next_deadline < self._timer_at:
            self._arm()

    def _written(self, size: int, *, urgent: bool) -> None:
        if self._reading:
            return  # what is written while reading goes out together, after it
        self._unflushed += size
        if urgent or self._unflushed > _WRITE_SIZE:
            self.flush()
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self.flush)

    # -- reading

    def _start_reading(self, rest: bytes) -> None:
        if rest:
            self.data_received(rest)
        else:
            self._settle()

    def _handle(self, events: list[Event]) -> None:
        dispatch = self.dispatcher.dispatch
        session = self.session
        done = 0
        interrupt: KeyboardInterrupt | None = None
        for event in events:
            kind, subject, number, route, body = event
            if kind == RESULT:
                if not subject.done():
                    subject.set_result(body)
            elif kind <= THROW:
                if self._backlog or (kind != THROW and session.congested):
                    self._backlog.append(event)
                    continue
                try:
                    finished = dispatch(kind, subject, number, route, body)
                except KeyboardInterrupt as exc:
                    # The requester has its answer; the other messages get theirs, then the loop ends.
                    interrupt, finished = exc, True
                if finished:
                    if len(body) > session.agreed.chunk:
                        session.handled(session.cost(route, body))
                    else:
                        done += len(route) + len(body) + MESSAGE_COST
            else:
                self._handle_uncommon(kind, subject, number, body)
        if done:
            session.handled((done, 0))
        if interrupt is not None:
            raise interrupt

    def _handle_uncommon(self, kind: int, subject: Any, number: int, body: bytes) -> None:
        if kind == ERROR:
            if not subject.done():
                subject.set_exception(Failure.decode(number, body).exception())
        elif kind == TIMED_OUT:
            if not subject.done():
                subject.set_exception(RequestTimeout("no answer in time"))
        elif kind == CANCEL:
            self._cancel_handler(subject)
        elif kind == GOODBYE:
            reason = Reason.decode(number, body)
            self.end(f"the other side ended the session: {reason.text}", reason)
        elif kind == LINK_DEAD:
            logger.warning("link of %r is given up: %s", self.client_id, subject)
            self._lose_link()
        elif kind == EXPIRED:
            self.end("the other side was unreachable for longer than the resume window")
        elif kind == DROPPED:
            logger.error("a throw of %d bytes to %r was dropped: too big for it", number, self.client_id)
        elif kind == BROKEN:
            logger.error("%r breaks the protocol: %s", self.client_id, subject)
            reason = Reason(0, f"protocol error: {subject}")
            self.end(f"the other side breaks the protocol: {subject}", reason, tell=True)

    def _cancel_handler(self, ident: int) -> None:
        for event in self._backlog:
            if event[1] == ident and event[0] != THROW:
                self._backlog.remove(event)
                self.session.handled(self.session.cost(event[3], event[4]))
                return
        self.dispatcher.cancel(ident)

    def _settle(self) -> None:
        """After anything happened: write, wake who can go on, set the timer."""
        if self._backlog and not self.session.congested:
            events = list(self._backlog)
            self._backlog.clear()
            self._reading = True
            try:
                self._handle(events)
            finally:
                self._reading = False
        self.flush()
        if self._room_waiters:
            self._wake(self._room_waiters)
        if self._flush_waiter is not None and self.session.flushed:
            self._flush_waiter.set_result(None)
            self._flush_waiter = None

    def _on_answer(self) -> None:
        """A handler that had been suspended has ended."""
        self._written(0, urgent=False)

    # -- waiting for room

    async def _room(self, body: bytes, deadline: float | None) -> None:
        while self.closed is None and self.is_full(body):
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._room_waiters.append(waiter)
            handle = None
            if deadline is not None:
                handle = self._loop.call_at(deadline, _expire, waiter)
            try:
                await waiter
            finally:
                if handle is not None:
                    handle.cancel()
        if self.closed is not None:
            raise self.closed

    @staticmethod
    def _wake(waiters: deque[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        waiters.clear()

    # -- time

    def _arm(self) -> None:
        at = self.session.next_deadline
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        if at == _NEVER:
            self._timer = None
        else:
            self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, _NEVER
        self._handle(self.session.tick(self._time()))
        self._settle()

    # -- the link

    def _take(self, link: Link) -> None:
        self._link = link
        self.identity = self.dispatcher.peer = link.peer
        link.receiver = self

    def _lose_link(self) -> None:
        self.drop_link()
        self._on_link_lost(self)

    def drop_link(self) -> None:
        """Give the link up; the session waits for another."""
        link, self._link = self._link, None
        if link is not None:
            self.session.lose_link(self._time())
            Farewell(link, self._farewells)
            link.abort()
            self._arm()


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(RequestTimeout("no room in the outbox in time"))
