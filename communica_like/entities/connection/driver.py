"""SessionDriver: drives one Session over one Link after another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from ...abc import Link
from ...aio.timer import NEVER, DeadlineTimer, clock_of
from ...exceptions import PeerGone
from ...session import Event, Session
from ...session import events as kinds
from ...session.events import REQUEST, RESULT, THROW
from ...wire.failure import Failure
from ...wire.greetings import Reason
from ...wire.limits import Limits
from ..handling.runner import BURST, HandlerSet
from .calls import SessionCalls, set_results_now
from .dispatcher import Dispatcher
from .receivers import ClosingLink
from .writer import Writer

logger = logging.getLogger("communica_like")


class SessionDriver:
    """One side of a session: it feeds what links receive to the session, and acts on its events.

    It is the receiver of its link.

    Args:
        client_id: the client's id.
        limits: this side's limits.
        handlers: for the other side's messages.
        closing_links: where links go that the session has left.
        keep: whether what was not accepted waits for a next session (on a client), or is lost.
        on_link_lost: called when the link broke; the session waits for another.
        on_ended: called with the reason when the session has ended.

    Attributes:
        calls: this side's calls.
        dispatcher: runs the handlers.
        last_end: why the last session ended, as text.
        last_loss: why the last link was given up, as text.
    """

    def __init__(
        self, client_id: str, limits: Limits, handlers: HandlerSet, closing_links: set[ClosingLink], *,
        keep: bool, on_link_lost: Callable[[SessionDriver], None],
        on_ended: Callable[[SessionDriver, Reason | None], None]
    ) -> None:
        self.client_id = client_id
        self.limits = limits
        self.session = Session(limits)
        self._timer = DeadlineTimer(self._tick)
        self._writer = Writer(self.session)
        self.flush = self._writer.flush
        self.calls = SessionCalls(self.session, self._writer, keep, self._arm)
        self.dispatcher = Dispatcher(self.session, handlers, client_id, self.flush, self._on_response)
        self.last_end = self.last_loss = ""
        self._keep = keep
        self._on_link_lost = on_link_lost
        self._on_ended = on_ended
        self._loop = asyncio.get_running_loop()
        self._time = clock_of(self._loop)
        self._closing_links = closing_links

    def __repr__(self) -> str:
        return f"<SessionDriver {self.client_id} {self.session.state.value}>"

    # -- links and sessions

    @property
    def live(self) -> bool:
        """Whether there is a link."""
        return self._writer.link is not None

    def establish(self, link: Link, session_id: bytes, limits: Limits, rest: bytes) -> None:
        """Begin a session on a link whose handshake is done; *rest* is what followed it."""
        events = self.session.establish(session_id, limits, self._time())
        self._use(link)
        self._handle(events)
        self._start_reading(rest)

    def resume(self, link: Link, received: int, rest: bytes) -> None:
        """Go on with the session on another link.

        Raises:
            RemoteProtocolError: the other side claims frames that were never sent.
        """
        self.drop_link()
        self.session.resume(received, self._time())
        self._use(link)
        self._start_reading(rest)

    def drop_link(self) -> None:
        """Abort the link, if there is one; the session waits for another."""
        link, self._writer.link = self._writer.link, None
        if link is not None:
            self.session.lose_link(self._time())
            ClosingLink(link, self._closing_links)
            link.abort()
            self._arm()

    def end(self, text: str, reason: Reason | None = None, *, tell: bool = False) -> None:
        """End the session and its requests, and close the link.

        Args:
            text: why, for the exceptions and the log.
            reason: why, for the other side if *tell*, and for on_ended.
        """
        self.last_end = text
        link = self._writer.link
        if link is not None and tell and reason is not None:
            self.session.say_goodbye(reason)
            self.flush()
        self._writer.link = None
        throws = self.calls.end_session(text, keep=self._keep)
        self.dispatcher.forget_session()
        if throws:
            logger.error("%s: %d throws to %r were lost", text, throws, self.client_id)
        if link is not None:
            ClosingLink(link, self._closing_links)
        self._timer.set(NEVER)
        self._settle()
        self._on_ended(self, reason)

    def end_for_good(self, reason: Reason) -> None:
        """End the session, and keep nothing for another one."""
        self._keep = False
        self.end(reason.text, reason, tell=True)

    def refuse_calls(self, error: Exception) -> None:
        """Make all calls raise *error*, and reject the other side's requests; still deliver throws."""
        self.dispatcher.closing = True
        self.calls.refuse(error)

    def fail_waiting(self, text: str, cause: Exception) -> None:
        """Make requests that wait for a session raise ConnectionLost; throws still wait for one."""
        self.calls.fail_waiting(text, cause)
        self._settle()

    # -- the link's reports

    def data_received(self, data: bytes, at_once: bool = True) -> None:
        """Data came. *at_once*: whether tasks may go on before this returns."""
        session = self.session
        calls = self.calls
        events = session.receive(data, self._time())
        if calls.flush_waiter is not None:
            calls.check_flushed()  # before there are more responses
        calls.alone = len(events) < 2
        if session.only == RESULT:
            if session.next_deadline < self._timer.at:
                self._arm()
            set_results_now(events, at_once)
            return
        results: list[Event] = []
        self._writer.held = True
        try:
            if session.only == REQUEST and len(events) <= BURST:
                self.dispatcher.dispatch(events)
            else:
                # An acknowledgement may be written before all of these have been handled.
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
        """The link has room again."""
        self._settle()

    def link_broken(self, error: Exception | None) -> None:
        """The link is gone."""
        if self._writer.link is None:
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

    # -- events

    def _start_reading(self, rest: bytes) -> None:
        if rest:
            # Tasks wait for the loop's next turn: they might end the attempt to connect that this is.
            self.data_received(rest, at_once=False)
        else:
            self._settle()

    def _handle(self, events: list[Event]) -> None:
        """Act on *events*, except for results: they come last."""
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
        if kind == kinds.ERROR:
            if not subject.done():
                subject.set_exception(Failure.decode(number, body).exception())
        elif kind == kinds.TIMED_OUT:
            if not subject.done():
                subject.set_exception(self.calls.late(unsent=bool(number)))
        elif kind == kinds.CANCEL:
            self.dispatcher.cancel(subject)
        elif kind == kinds.GOODBYE:
            reason = Reason.decode(number, body)
            self.end(f"the other side ended the session: {reason.text}", reason)
        elif kind == kinds.LINK_DEAD:
            self.last_loss = str(subject)
            logger.warning("link of %r is given up: %s", self.client_id, subject)
            self.drop_link()
            self._on_link_lost(self)
        elif kind == kinds.EXPIRED:
            self.end("the other side was unreachable for longer than the resume window")
        elif kind == kinds.DROPPED:
            logger.error("a throw of %d bytes to %r was dropped: too big for it", number, self.client_id)
        elif kind == kinds.BROKEN:
            logger.error("%r breaks the protocol: %s", self.client_id, subject)
            reason = Reason(0, f"protocol error: {subject}")
            self.end(f"the other side breaks the protocol: {subject}", reason, tell=True)

    def _settle(self) -> None:
        """Write, wake callers that can go on, and set the timer: the end of whatever happened."""
        session, calls = self.session, self.calls
        self.flush()
        if session.next_deadline < self._timer.at:
            self._arm()
        if self.dispatcher.backlog and not session.congested:
            # Handlers are run from the event loop alone, never inside of a task.
            self._loop.call_soon(self._work_off)
        if calls.waiting and session.has_room:
            calls.notify()
        if calls.flush_waiter is not None:
            calls.check_flushed()

    def _work_off(self) -> None:
        self._writer.held = True
        try:
            self.dispatcher.work_off()
        finally:
            self._writer.held = False
            self._settle()

    def _on_response(self) -> None:
        """A handler that had been suspended has ended."""
        self._arm()
        self._writer.written(0, BURST)

    # -- time

    def _arm(self) -> None:
        """Set the timer, if the session's next deadline is earlier."""
        if self.session.next_deadline < self._timer.at:
            self._timer.set(self.session.next_deadline)

    def _tick(self) -> None:
        self._handle(self.session.tick(self._time()))
        self._settle()

    # -- the link

    def _use(self, link: Link) -> None:
        self._writer.link = link
        self.dispatcher.peer = link.peer
        link.receiver = self
