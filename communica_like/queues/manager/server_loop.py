"""ServerLoop: one thread that hears all connections of a host, in rounds."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from ...system import fork
from .framed_socket import QUICK, give_way

logger = logging.getLogger("communica_like.queues")

_JOIN_TIMEOUT: Final = 5.0  # seconds

_READ: Final = getattr(select, "POLLIN", 1) | getattr(select, "POLLRDHUP", 0)
_WRITE: Final = getattr(select, "POLLOUT", 4)
_PLAIN: Final = getattr(select, "POLLIN", 1) | _WRITE


class Member(Protocol):
    """A connection that the loop reads."""

    def fileno(self) -> int:
        """Return its descriptor, until it has ended."""

    def receive(self, to_the_end: bool, /) -> bool:
        """Take in all that has come; return False if that was all there will be.

        Args:
            to_the_end: whether the other side has hung up, so that the end can be read.
        """

    def send_rest(self) -> bool:
        """Send what was not sent; return whether nothing is left."""

    def ended(self) -> None:
        """The connection has ended, here or there. The loop knows it no more."""


class ServerLoop:
    """Reads all connections of a host, in rounds, in one thread.

    In each round it hears all of them. Then it does what was due when all is heard.

    Connections that have ended are heard before others. So what their ends change is known to those who speak
    after them. The thread looks for more for a moment before it goes to sleep, while frames come in quick
    succession.

    Args:
        name: the thread's.
    """

    def __init__(self, name: str) -> None:
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._members: dict[int, Member] = {}
        self._calls: deque[Callable[[], object]] = deque()
        self._due: list[Callable[[], object]] = []
        self._quick, self._last = False, 0.0  # whether frames come in quick succession; when the last came
        self._stopping = False
        self._over = False
        self._poll: Any = select.poll() if hasattr(select, "poll") else _SelectPoll()
        self._wake_end, self._waker = socket.socketpair()
        self._wake_end.setblocking(False)
        self._waker.setblocking(False)
        self._wake_descriptor = self._wake_end.fileno()
        self._poll.register(self._wake_descriptor, _READ)

    def start(self) -> None:
        """Start the thread."""
        for each in (self._wake_end, self._waker):
            fork.add(each.fileno())
        self._thread.start()

    def stop(self) -> None:
        """End all connections and the thread, in a few seconds at most. What was not sent is dropped."""
        self._stopping = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join(_JOIN_TIMEOUT)

    # -- from any thread

    def call(self, callback: Callable[[], object]) -> None:
        """Call it in the loop's thread, as if a connection had said so now."""
        self._calls.append(callback)
        self._wake()
        if self._over:
            self._run_calls()

    # -- in the loop's thread

    def when_heard(self, callback: Callable[[], object]) -> None:
        """Call it when all is heard that any connection has said before this."""
        self._due.append(callback)

    def admit(self, member: Member) -> None:
        """Read this connection from now on; if the loop is about to end, it has ended."""
        if self._stopping:
            member.ended()
            return
        self._members[member.fileno()] = member
        self._poll.register(member.fileno(), _READ)

    def dismiss(self, member: Member) -> bool:
        """Stop reading this connection. Return False if it was not read."""
        descriptor = member.fileno()
        if self._members.get(descriptor) is not member:
            return False
        del self._members[descriptor]
        self._poll.unregister(descriptor)
        return True

    def watch_room(self, member: Member) -> None:
        """Have it send the rest as soon as its socket takes more."""
        if self._members.get(member.fileno()) is member:
            self._poll.modify(member.fileno(), _READ | _WRITE)

    def run_round(self, timeout: float | None) -> None:
        """Hear all connections once; then do what was due before.

        Args:
            timeout: milliseconds to wait for something to hear; None: as long as it takes.
        """
        due, self._due = self._due, []
        events = self._poll.poll(0 if due or self._quick else timeout)
        self._run_calls()
        now = time.perf_counter()
        if events:
            self._quick, self._last = now - self._last < QUICK, now
            self._hear(events)
        elif self._quick and not due:
            self._quick = now - self._last < QUICK
            give_way()
        for callback in due:
            callback()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self.run_round(None)
        finally:
            self._stopping = True
            for member in list(self._members.values()):
                self._end(member)
            self._over = True  # from here on, call() sees to itself
            self._run_calls()
            for each in (self._wake_end, self._waker):
                fork.discard(each.fileno())
                each.close()

    def _hear(self, events: list[tuple[int, int]]) -> None:
        plain = []
        for descriptor, flags in events:
            if descriptor == self._wake_descriptor:
                with contextlib.suppress(BlockingIOError):
                    self._wake_end.recv(4096)
            elif flags & ~_PLAIN:
                self._receive(self._members.get(descriptor), to_the_end=True)
            else:
                plain.append((descriptor, flags))
        for descriptor, flags in plain:
            member = self._members.get(descriptor)
            if flags & _WRITE and member is not None and member.send_rest():
                self._poll.modify(descriptor, _READ)
            if flags & ~_WRITE:
                self._receive(member, to_the_end=False)

    def _receive(self, member: Member | None, *, to_the_end: bool) -> None:
        if member is None:
            return
        try:
            goes_on = member.receive(to_the_end)
        except Exception as exc:
            logger.warning("a connection to a queue is ended: %r", exc)
            goes_on = False
        if not goes_on:
            self._end(member)

    def _end(self, member: Member) -> None:
        if self.dismiss(member):
            member.ended()

    def _run_calls(self) -> None:
        with contextlib.suppress(IndexError):  # at the end, several threads may do it
            while True:
                self._calls.popleft()()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it is awake; or it has ended
            self._waker.send(b"\0")


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
