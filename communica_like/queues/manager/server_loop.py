"""One thread that receives for all lines of a server, and knows when it has heard all that was said."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from ...exceptions import RemoteProtocolError
from ...system import fork
from .framed_socket import FrameSocket

__all__ = ["FrameLoop", "Member"]

logger = logging.getLogger("communica_like.queues")

_QUICK: Final = 0.00015  # seconds; longer than a client takes to say the next thing
_JOIN_TIME: Final = 5.0
_MOST_READS: Final = 64  # of one line, before it is the turn of others
_give_way: Final[Callable[[], object]] = getattr(os, "sched_yield", lambda: None)

_READ: Final = getattr(select, "POLLIN", 1) | getattr(select, "POLLRDHUP", 0)
_WRITE: Final = getattr(select, "POLLOUT", 4)
_PLAIN: Final = getattr(select, "POLLIN", 1) | _WRITE


class Member(Protocol):
    """Whoever has a line in the loop."""

    frames: FrameSocket

    def ended(self) -> None:
        """The line has ended, and will be closed. Called in the loop's thread."""


class FrameLoop:
    """Receives for its members, until each line ends, in one thread.

    Lines that have ended are dealt with before others: what their ends change is known to whoever speaks
    after them. The thread looks for more for a moment before it goes to sleep, while frames come in quick
    succession.

    Args:
        name: the thread's.
    """

    def __init__(self, name: str) -> None:
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._members: dict[int, Member] = {}
        self._calls: deque[Callable[[], object]] = deque()
        self._hearings: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._timer_numbers = itertools.count()
        self._stopping = False
        self._over = False
        self._poll: Any = select.poll() if hasattr(select, "poll") else _SelectPoll()
        self._wake_end, self._waker = socket.socketpair()
        self._wake_end.setblocking(False)
        self._waker.setblocking(False)
        self._wake_descriptor = self._wake_end.fileno()

    def start(self) -> None:
        """Begin."""
        for each in (self._wake_end, self._waker):
            fork.add(each.fileno())
        self._poll.register(self._wake_descriptor, _READ)
        self._thread.start()

    def stop(self) -> None:
        """End all lines, and wait until that is done, a few seconds at most. What was not sent is dropped."""
        self._stopping = True
        self._wake()
        self._thread.join(_JOIN_TIME)

    # -- from any thread

    def add(self, member: Member) -> None:
        """Receive for this member from now on."""
        self._call(lambda: self._admit(member))
        if self._over:
            self._call_all()

    def send_rest(self, member: Member) -> None:
        """Send what the member's line could not send at once."""
        self._call(lambda: self._watch_room(member))

    def when_heard(self, callback: Callable[[], object]) -> None:
        """Call it, in the loop's thread, when all is received that anybody has said before this."""
        self._hearings.append(callback)
        if threading.current_thread() is not self._thread:
            self._wake()

    # -- in the loop's thread

    def call_later(self, seconds: float, callback: Callable[[], object]) -> None:
        """Call it after this time."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._timer_numbers), callback))

    def _run(self) -> None:
        try:
            self._live()
        finally:
            for member in list(self._members.values()):
                self._dismiss(member)
            self._stopping = self._over = True  # from here on, who comes sees to itself
            self._call_all()
            for each in (self._wake_end, self._waker):
                fork.discard(each.fileno())
                each.close()

    def _live(self) -> None:
        quick, last = False, 0.0
        while not self._stopping:
            heard = len(self._hearings)  # what was asked before the look that follows
            if heard or quick:
                events = self._poll.poll(0)
            else:
                events = self._poll.poll(self._next_timer())
            now = time.perf_counter()
            if events:
                quick, last = now - last < _QUICK, now
                self._hear(events)
            elif not heard and quick:
                quick = now - last < _QUICK
                _give_way()  # the other side may be waiting for this very processor
            for _ in range(heard):
                self._hearings.popleft()()
            if self._timers:
                self._call_timers()

    def _next_timer(self) -> float | None:
        """Milliseconds until then."""
        return max(0.0, self._timers[0][0] - time.monotonic()) * 1000 + 1 if self._timers else None

    def _call_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _hear(self, events: list[tuple[int, int]]) -> None:
        plain = []
        for descriptor, flags in events:
            if descriptor == self._wake_descriptor:
                self._wake_end.recv(4096)
                self._call_all()
            elif flags & ~_PLAIN:
                self._receive(self._members.get(descriptor), to_the_end=True)
            else:
                plain.append((descriptor, flags))
        for descriptor, flags in plain:
            member = self._members.get(descriptor)
            if flags & _WRITE and member is not None:
                self._watch_room(member)
            if flags & ~_WRITE:
                self._receive(member)

    def _receive(self, member: Member | None, *, to_the_end: bool = False) -> None:
        if member is None:
            return
        try:
            count = member.frames.receive()
            for _ in range(_MOST_READS):
                if not member.frames.more and not (to_the_end and count > 0):
                    break
                count = member.frames.receive()
        except RemoteProtocolError as exc:
            logger.warning("a client of a queue is sent away: %s", exc)
            count = -1
        except Exception:
            logger.exception("a client of a queue is sent away")
            count = -1
        if count < 0:
            self._dismiss(member)

    def _admit(self, member: Member) -> None:
        if self._stopping:
            member.ended()
            member.frames.close()
        else:
            self._members[member.frames.fileno()] = member
            self._poll.register(member.frames.fileno(), _READ)

    def _watch_room(self, member: Member) -> None:
        descriptor = member.frames.fileno()
        if self._members.get(descriptor) is not member:
            return
        try:
            all_sent = member.frames.flush()
        except OSError:
            all_sent = True  # the end, which is found by receiving
        self._poll.modify(descriptor, _READ if all_sent else _READ | _WRITE)

    def _dismiss(self, member: Member) -> None:
        descriptor = member.frames.fileno()
        del self._members[descriptor]
        self._poll.unregister(descriptor)
        member.ended()
        member.frames.close()

    def _call(self, call: Callable[[], object]) -> None:
        self._calls.append(call)
        self._wake()

    def _call_all(self) -> None:
        with contextlib.suppress(IndexError):  # at the end, several threads may do it
            while True:
                self._calls.popleft()()

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except OSError:
            pass  # it is awake; or it has ended


class _SelectPoll:
    """For systems without ``select.poll``."""

    def __init__(self) -> None:
        self._wanted: dict[int, int] = {}

    def register(self, descriptor: int, flags: int) -> None:
        self._wanted[descriptor] = flags

    modify = register

    def unregister(self, descriptor: int) -> None:
        del self._wanted[descriptor]

    def poll(self, milliseconds: float | None) -> list[tuple[int, int]]:
        writers = [descriptor for descriptor, flags in self._wanted.items() if flags & _WRITE]
        seconds = None if milliseconds is None else milliseconds / 1000
        readable, writable, _ = select.select(list(self._wanted), writers, [], seconds)
        return [
            (descriptor, (descriptor in readable) * (_READ & _PLAIN) | (descriptor in writable) * _WRITE)
            for descriptor in {*readable, *writable}
        ]
