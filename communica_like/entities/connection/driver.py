"""One conversation in progress: drives a Session over one Link after another."""

from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ...abc import Link, PeerIdentity
from ...aio.eager import set_result_now
from ...aio.timer import NEVER, DeadlineTimer, clock_of
from ...aio.waiters import Waiters
from ...exceptions import ConnectionLost, HandlerError, PeerGone, RequestTimeout
from ...session import Event, Session
from ...session.events import (
    BROKEN,
    CANCEL,
    DROPPED,
    ERROR,
    EXPIRED,
    GOODBYE,
    LINK_DEAD,
    REQUEST,
    RESULT,
    THROW,
    TIMED_OUT,
)
from ...wire.failure import Failure
from ...wire.greetings import Reason
from ...wire.limits import Limits
from ..backends import Channel
from ..handling.context import inherited_deadline
from ..handling.responses import Responder
from ..handling.runner import HandlerSet
from .dispatcher import Dispatcher
from .receivers import ClosingLink
from .writer import BURST, THROW_BURST, Writer

__all__ = ["SessionDriver", "set_results_now"]


def set_results_now(results: Sequence[Event], at_once: bool) -> None:
    """Set the results of the futures in these RESULT events, in order.

    A task that waits for one goes on at once: see ``set_result_now``. Inside of a task no other task's step
    can be run: there it is ``set_result`` alone.

    Args:
        at_once: False for ``set_result`` alone.

    Raises:
        KeyboardInterrupt, SystemExit: a task's step did. The other results are set all the same.
    """
    at_once = at_once and asyncio.current_task() is None
    try:
        for _, future, _, _, body in results:
            if future.done():
                continue  # cancelled
            if at_once:
                set_result_now(future, body)
            else:
                future.set_result(body)
    except BaseException:
        for _, future, _, _, body in results:
            if not future.done():
                future.set_result(body)
        raise


logger = logging.getLogger("communica_like")

T = TypeVar("T")


class SessionDriver(Channel):
    """This side's half of the conversation with one other side. It is the receiver of its link.

    Args:
        client_id: the client's id.
        limits: this side's limits.
        handlers: for the other side's messages.
        closing_links: where links go that are not used any more.
        keep: whether what was not accepted waits for a next session (a client's side), or is lost.
        on_link_lost: called when the link broke; the session waits for another.
        on_ended: called with the reason when the session is over.

    Attributes:
        closed: what calls raise, when this side is closed or there will be no session any more.
        last_end: why the last session ended, as text.
        last_loss: why the last link was given up, as text.
    """

    def __init__(
        self,
        client_id: str,
        limits: Limits,
        handlers: HandlerSet,
        closing_links: set[ClosingLink],
        *,
        keep: bool,
        on_link_lost: Callable[[SessionDriver], None],
        on_ended: Callable[[SessionDriver, Reason | None], None],
    ) -> None:
        self.client_id = client_id
        self.limits = limits
        self.session = Session(limits)
        self._alarm = DeadlineTimer(self._tick)
        self._writer = Writer(self.session)
        self.flush = self._writer.flush
        self.dispatcher = Dispatcher(
            self.session,
            handlers.by_route,
            Responder(self.session, handlers.missing),
            client_id,
            handlers.pool,
            self.flush,
            self._on_answer,
        )
        self.identity: PeerIdentity | None = None
        self.closed: Exception | None = None
        self.last_end = ""
        self.last_loss = ""
        self._keep = keep
        self._on_link_lost = on_link_lost
        self._on_ended = on_ended
        self._loop = asyncio.get_running_loop()
        self._time = clock_of(self._loop)
        # Whether requests seem to be made one at a time: then they are written at once.
        self._lone = True
        # What waits for room in the outbox. Large requests hold up no small ones.
        self._requests = Waiters(queue.Full)
        self._large_requests = Waiters(queue.Full)
        self._throws = Waiters(queue.Full)
        self._flush_waiter: asyncio.Future[None] | None = None
        self._closing_links = closing_links

    def __repr__(self) -> str:
        return f"<SessionDriver {self.client_id} {self.session.state.value}>"

    # -- links and sessions

    @property
    def _link(self) -> Link | None:
        return self._writer.link

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
        self.last_end = text
        session = self.session
        link = self._link
        if link is not None and tell and reason is not None:
            session.say_goodbye(reason)
            self.flush()
        self._writer.link = None
        lost = session.end(keep=self._keep)
        self.dispatcher.forget_session()
        if lost.throws:
            logger.error("%s: %d throws to %r were lost", text, lost.throws, self.client_id)
        for tokens, sent in ((lost.unknown, True), (lost.unsent, False)):
            for token in tokens:
                if not token.done():
                    token.set_exception(self.closed or ConnectionLost(text, sent=sent))
        if not self._keep and self.closed is None:
            # Who waits for room must not write to a session that never comes.
            self.closed = ConnectionLost(text, sent=False)
        if link is not None:
            ClosingLink(link, self._closing_links)
        self._alarm.set(NEVER)
        self._settle()
        self._on_ended(self, reason)

    def end_for_good(self, reason: Reason) -> None:
        """The entity closes: the session is over, nothing is kept, and no time is left."""
        self._keep = False
        self.end(reason.text, reason, tell=True)

    def fail_waiting(self, text: str, cause: Exception) -> None:
        """Requests that wait for a session will not get one: end them. Throws wait on."""
        for ident, token in list(self.session.pending.items()):
            sent = self.session.was_sent_before(ident)
            self.session.cancel(ident)
            if not token.done():
                error = ConnectionLost(text, sent=sent)
                error.__cause__ = cause
                token.set_exception(error)
        self._settle()

    # -- what entities call

    async def request(
        self,
        route: bytes,
        body: bytes,
        timeout: float | None = None,
        idempotent: bool = False,
        key: str | None = None,
    ) -> bytes:
        if idempotent and not self._keep:
            idempotent = False  # there is no next session to send it in
        deadline = inherited_deadline.get()
        if timeout is not None and timeout != NEVER:
            own = self._time() + timeout
            deadline = own if deadline is None else min(deadline, own)
        session = self.session
        future: asyncio.Future[bytes] = self._loop.create_future()
        now = 0.0
        if deadline is not None:
            now = self._time()
            if deadline <= now:
                raise RequestTimeout("the time was over before it was sent")
        if self.closed is not None:
            raise self.closed.with_traceback(None)
        ident = 0
        if not self._requests.waiting:
            ident = session.request(future, route, body, now, deadline, idempotent)
        if not ident:
            ident = await self._request_in_line(future, route, body, deadline, idempotent)
        if deadline is not None:
            self._look_at_the_clock()
        if self._lone and len(session.pending) == 1 and not self._writer.held:
            self.flush()
        else:
            self._writer.written(len(body), BURST)
        try:
            return await future
        except asyncio.CancelledError:
            # Cancelled here; the handler is told. If the answer is there already, nothing happens.
            session.cancel(ident)
            self._writer.written(0, BURST)
            raise
        except HandlerError as exc:
            if deadline is not None and deadline <= self._time():
                # What the handler did not catch is, as like as not, that its time is over.
                raise RequestTimeout("no answer in time") from exc
            raise
        finally:
            if deadline is not None or idempotent:
                session.release(ident)

    async def _request_in_line(
        self,
        future: asyncio.Future[bytes],
        route: bytes,
        body: bytes,
        deadline: float | None,
        idempotent: bool,
    ) -> int:
        def attempt() -> int:
            if self.closed is not None:
                raise self.closed.with_traceback(None)
            now = self._time() if deadline is not None else 0.0
            if not (ident := self.session.request(future, route, body, now, deadline, idempotent)):
                raise queue.Full
            return ident

        small = len(body) <= self.session.agreed.chunk
        return await self._wait_for_room(self._requests if small else self._large_requests, attempt, deadline)

    def throw(
        self, route: bytes, body: bytes, timeout: float | None = None, key: str | None = None
    ) -> Coroutine[Any, Any, None] | None:
        # Those who wait come first.
        if not self._throws.waiting and self._post(route, body):
            return None
        return self._throw_in_line(route, body, timeout)

    async def _throw_in_line(self, route: bytes, body: bytes, timeout: float | None) -> None:
        deadline = inherited_deadline.get()
        if timeout is not None and timeout != NEVER:
            own = self._time() + timeout
            deadline = own if deadline is None else min(deadline, own)

        def attempt() -> None:
            if not self._post(route, body):
                raise queue.Full

        await self._wait_for_room(self._throws, attempt, deadline)

    async def _wait_for_room(self, waiters: Waiters, attempt: Callable[[], T], deadline: float | None) -> T:
        try:
            return await waiters.wait(attempt, None if deadline is None else deadline - self._time())
        except queue.Full as exc:
            raise RequestTimeout("no room in the outbox in time") from exc

    def _post(self, route: bytes, body: bytes) -> bool:
        if self.closed is not None:
            raise self.closed.with_traceback(None)
        if not self.session.throw(route, body, 0.0):
            return False
        self._writer.written(len(body), THROW_BURST)
        return True

    # -- the link's reports

    def data_received(self, data: bytes, at_once: bool = True) -> None:
        session = self.session
        events = session.receive(data, self._time())
        if self._flush_waiter is not None:
            self._tell_if_flushed()  # before there are more answers
        self._lone = len(events) < 2
        if session.only == RESULT:
            if session.next_deadline < self._alarm.at:
                self._arm()
            set_results_now(events, at_once)
            return
        results: list[Event] = []
        self._writer.held = True
        try:
            if session.only == REQUEST and len(events) <= BURST:
                self.dispatcher.dispatch(events)
            else:
                # An acknowledgement may be written before all of these are dealt with.
                cost = session.last_cost()
                session.hold(cost)
                try:
                    if session.only == REQUEST:
                        self.dispatcher.dispatch(events)
                    else:
                        results = [event for event in events if event[0] == RESULT]
                        self._handle(events)
                finally:
                    session.handled(cost)
        finally:
            self._writer.held = False
            self._settle()
            if results:
                set_results_now(results, at_once)

    def link_writable(self) -> None:
        self.flush()
        self._settle()

    def link_broken(self, error: Exception | None) -> None:
        if self._link is None:
            return
        self._writer.link = None
        if isinstance(error, PeerGone):
            self.end(str(error))
            return
        self.session.lose_link(self._time())
        self._arm()
        self.last_loss = str(error or "closed by the other side")
        logger.info("link of %r lost: %s", self.client_id, self.last_loss)
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
        self._notify_waiters()
        self._writer.written(0, BURST)

    @property
    def settled(self) -> bool:
        """Whether all throws and answers are delivered."""
        return self.session.flushed

    async def flushed(self) -> None:
        """Wait until all throws and answers are delivered, if only for a moment."""
        if self.session.flushed:
            return
        waiter = self._flush_waiter
        if waiter is None:
            waiter = self._flush_waiter = self._loop.create_future()
        if self._link is not None:
            self.session.ask_for_ack()
            self.flush()
        await asyncio.shield(waiter)

    # -- reading

    def _start_reading(self, rest: bytes) -> None:
        if rest:
            # Tasks wait for the loop's next turn: what they do may end the attempt to connect that this is.
            self.data_received(rest, at_once=False)
        else:
            self._settle()

    def _handle(self, events: list[Event]) -> None:
        """Do what *events* say, but for results: they come last."""
        messages: list[Event] = []
        for event in events:
            kind = event[0]
            if kind <= THROW:
                messages.append(event)
            elif kind != RESULT:
                if messages:
                    self.dispatcher.dispatch(messages)
                    messages = []
                self._handle_uncommon(*event)
        if messages:
            self.dispatcher.dispatch(messages)

    def _handle_uncommon(self, kind: int, subject: Any, number: int, _: bytes, body: bytes) -> None:
        if kind == ERROR:
            if not subject.done():
                subject.set_exception(Failure.decode(number, body).exception())
        elif kind == TIMED_OUT:
            if not subject.done():
                subject.set_exception(RequestTimeout("no answer in time"))
        elif kind == CANCEL:
            self.dispatcher.cancel(subject)
        elif kind == GOODBYE:
            reason = Reason.decode(number, body)
            self.end(f"the other side ended the session: {reason.text}", reason)
        elif kind == LINK_DEAD:
            self.last_loss = str(subject)
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

    def _settle(self) -> None:
        """After anything happened: write, wake who can go on, set the timer."""
        self.flush()
        session = self.session
        if session.next_deadline < self._alarm.at:
            self._arm()
        if self.dispatcher.backlog and not session.congested:
            # Not at once: handlers run on the event loop alone, never inside of a task.
            self._loop.call_soon(self._work_off)
        if (
            self._requests.waiting or self._throws.waiting or self._large_requests.waiting
        ) and session.has_room:
            self._notify_waiters()
        if self._flush_waiter is not None:
            self._tell_if_flushed()

    def _tell_if_flushed(self) -> None:
        if self._flush_waiter is not None and self.session.flushed:
            self._flush_waiter.set_result(None)
            self._flush_waiter = None

    def _work_off(self) -> None:
        self._writer.held = True
        try:
            self.dispatcher.work_off()
        finally:
            self._writer.held = False
            self._settle()

    def _on_answer(self) -> None:
        """A handler that had been suspended has ended."""
        self._look_at_the_clock()
        self._writer.written(0, BURST)

    def _notify_waiters(self) -> None:
        self._requests.notify()
        self._large_requests.notify()
        self._throws.notify()

    # -- time

    def _look_at_the_clock(self) -> None:
        if self.session.next_deadline < self._alarm.at:
            self._arm()

    def _arm(self) -> None:
        self._alarm.set(self.session.next_deadline)

    def _tick(self) -> None:
        self._handle(self.session.tick(self._time()))
        self._settle()

    # -- the link

    def _take(self, link: Link) -> None:
        self._writer.link = link
        self.identity = self.dispatcher.peer = link.peer
        link.receiver = self

    def _lose_link(self) -> None:
        self.drop_link()
        self._on_link_lost(self)

    def drop_link(self) -> None:
        """Give the link up; the session waits for another."""
        link, self._writer.link = self._writer.link, None
        if link is not None:
            self.session.lose_link(self._time())
            ClosingLink(link, self._closing_links)
            link.abort()
            self._arm()
