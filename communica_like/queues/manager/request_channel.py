"""RequestChannel: requests and answers over one socket, for an event loop and for threads."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ...exceptions import Closed, ConnectionLost
from ...system import fork
from ..base import FdWatcher
from .framed_socket import QUICK, FramedSocket, give_way
from .protocol import Frame, Item, Kind, join_frame, split_frame

_ANSWER_TIMEOUT: Final = 5.0  # seconds for an answer that takes no waiting
_LOOK_TIMEOUT: Final = 0.0005  # for which the event loop stands still; most come in a tenth of that
_CLOSE_TIMEOUT: Final = 1.0
_SLOWEST: Final = 10_000_000  # bytes a second

_POLLIN: Final = getattr(select, "POLLIN", 1)
_POLLOUT: Final = getattr(select, "POLLOUT", 4)


@dataclass(slots=True)
class _Question:
    """What is asked under one number.

    Attributes:
        answers: its answer, perhaps twice; None: there will be none.
        later: whether the host has hinted that the answer will take its time.
        waits: the loop and the future of a task that waits; None: the caller reads for itself.
    """

    answers: list[Frame | None] = field(default_factory=list)
    later: bool = False
    waits: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None


class RequestChannel:
    """The client's end of a connection to a QueueHost.

    While a task waits, its event loop watches the socket. A call that blocks reads the socket itself, under a
    lock, and passes on what is for others. Requests of many callers are under way at once.

    Args:
        sock: connected to a queue; this object owns it from now on.
        where: the host's address, for messages.

    Raises (all calls that ask, or ``commit``):
        ConnectionLost: the host is gone, or does not answer.
        Closed: ``close`` was called here.
    """

    def __init__(self, sock: socket.socket, where: str) -> None:
        self._where = where
        self._socket = sock
        self._frames = FramedSocket(sock, self._received)
        self._numbers = itertools.count(1)
        self._questions: dict[int, _Question] = {}
        self._reading = threading.Lock()  # its holder reads, for all
        self._quick = False  # whether it paid to look again
        self._lost = self._closed = False
        self._generation = fork.generation
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks = 0  # that wait
        self._reader = FdWatcher(sock.fileno(), "read", self._on_readable)
        self._writer = FdWatcher(sock.fileno(), "write", self._on_writable)

    @property
    def lost(self) -> bool:
        """Whether the connection is known to have ended."""
        if not (self._lost or self._questions):
            try:
                self._lost = not self._socket.recv(1, socket.MSG_PEEK)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self._lost = True
        return self._lost

    @property
    def unsent(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._frames.unsent)

    def new_number(self) -> int:
        """Return a number that no request had."""
        return next(self._numbers)

    # -- asking

    def call(
        self, number: int, kind: Kind, item: Item | None = None, *, now: bool = False, unknown: bool = False
    ) -> Frame:
        """Ask, and wait for the answer in this thread.

        Args:
            now: whether the host is to answer at once.
            unknown: whether something may have been done if there is no answer.
        """
        data = join_frame(kind, number, item)
        deadline = time.monotonic() + _answer_timeout(data)
        try:
            question = self._register(number)
            self.send(data + join_frame(Kind.NOW, number) if now else data)
            while not question.answers:
                left = max(0.0, deadline - time.monotonic())
                if not self._read(left, partial(self._read_for, question, deadline)):
                    raise self._gone("does not answer", sent=unknown)
        except BaseException:  # Ctrl-C among them
            self.give_back(number)
            self._wake_loop()
            raise
        return self._answer(question, unknown)

    async def ask(
        self, number: int, kind: Kind, item: Item | None = None, *, timeout: float | None = None
    ) -> Frame:
        """Ask, and wait for the answer in a task. If it is cancelled, the request is given back.

        Args:
            timeout: seconds; then the host is to answer at once. None: no limit.
        """
        data, now = join_frame(kind, number, item), join_frame(Kind.NOW, number)
        hurried = timeout is not None and timeout <= 0
        try:
            question = self._register(number)
            self.send(data + now if hurried else data)
            # Most answers come at once: that is quicker than a way through the event loop.
            if not self._tasks:
                deadline = time.monotonic() + _LOOK_TIMEOUT
                self._read(0.0, partial(self._read_for, question, deadline, hint=True))
            if not question.answers and not hurried:
                await self._wait_for(question, timeout)
                if not question.answers:
                    self.send(now)
            if not question.answers:
                await self._wait_for(question, _answer_timeout(data))
            if not question.answers:
                raise self._gone("does not answer", sent=False)
        except BaseException:
            self.give_back(number)
            raise
        return self._answer(question)

    def give_back(self, number: int) -> None:
        """Drop a request, and what was leased or held for it."""
        self._questions.pop(number, None)
        self.send(join_frame(Kind.BACK, number))

    def _register(self, number: int) -> _Question:
        question = self._questions[number] = _Question()
        if self._lost:
            self._questions.pop(number, None)
            raise self._gone(sent=False)
        return question

    def _read(self, seconds: float, read: Callable[[], bool]) -> bool:
        """Call *read* under the lock; return False if it does, or if the lock is taken for this time."""
        locked: list[bool] = []
        try:
            locked.extend(map(self._reading.acquire, (True,), (seconds,)))  # in one step for signals
            return locked[0] and read()
        finally:
            if locked and locked[0]:
                self._reading.release()

    def _read_for(self, question: _Question, deadline: float, *, hint: bool = False) -> bool:
        """Read, for all, until there is an answer; return False if it takes too long. The lock is held.

        Args:
            hint: whether the hint that there will be none soon ends it, too.
        """
        began = time.perf_counter()
        self._frames.deliver()  # what another thread was interrupted in
        while not (question.answers or (hint and question.later)):
            quick = self._quick and time.perf_counter() - began < QUICK
            events = _POLLIN | _POLLOUT if self._frames.unsent else _POLLIN
            if not quick and not self._ready(events, deadline):
                self._quick = False
                return False
            self._flush()
            count = self._frames.receive()
            if count < 0:
                self._lose()
            elif not count:
                give_way()  # the other side may be waiting for this very processor
        self._quick = time.perf_counter() - began < QUICK
        return True

    async def _wait_for(self, question: _Question, timeout: float | None) -> None:
        """Wait until there is an answer, or the time is over."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._tasks += 1
        try:
            self._watch(loop)
            question.waits = loop, done
            if question.answers:
                return  # by another thread, just now
            if timeout is None:
                await done
            else:
                async with asyncio.timeout(timeout):
                    await done
        except TimeoutError:
            pass
        finally:
            self._tasks -= 1
            if not self._tasks:
                self._reader.ignore()

    def _answer(self, question: _Question, unknown: bool = False) -> Frame:
        answer = question.answers[0]
        if answer is None:
            raise self._gone(sent=unknown)
        return answer

    # -- sending

    def send(self, data: bytes) -> None:
        """Send what may wait its turn behind what is not sent yet."""
        if not self._lost:
            with contextlib.suppress(OSError):  # the end, which is found by receiving
                self._frames.send(data)
            if self._frames.unsent:
                self._wake_loop()

    def try_commit(self, data: bytes) -> bool:
        """Send what changes the queue, whole; return False if the socket does not take it now."""
        try:
            if not self._frames.send(data, wait=False):
                return False
        except OSError as exc:
            raise self._gone(sent=False) from exc
        if self._frames.unsent:  # TCP may take a part
            self._send_rest(sent=True)
        return True

    def commit(self, data: bytes) -> None:
        """Send what changes the queue, whole, and with nothing unsent before it. May wait in this thread."""
        while not self.try_commit(data):
            self._send_rest(sent=False)

    async def until_sent(self, number: int) -> None:
        """Wait in a task until nothing is before an ACK or COMMIT; if that fails, give its request back."""
        try:
            while self._frames.unsent:
                await self.ask(self.new_number(), Kind.SIZE)  # what was sent before is there by then
        except BaseException:
            self.give_back(number)
            raise

    def _send_rest(self, *, sent: bool) -> None:
        """Wait in this thread until the socket takes more, and nothing is unsent."""
        deadline = time.monotonic() + _ANSWER_TIMEOUT
        while True:
            if self._lost:
                raise self._gone(sent=sent)
            if not self._ready(_POLLOUT, deadline):
                raise self._gone("does not answer", sent=sent)
            self._flush()
            if not self._frames.unsent:
                return

    def _flush(self) -> None:
        try:
            self._frames.flush()
        except OSError:
            self._lose()

    def _ready(self, events: int, deadline: float) -> bool:
        """Wait until the socket can be read, or written; return False if it takes too long."""
        left = max(0.0, deadline - time.monotonic())
        if hasattr(select, "poll"):
            poll: Any = select.poll()
            poll.register(self._frames.fileno(), events)
            return bool(poll.poll(left * 1000))
        write = [self._socket] if events & _POLLOUT else []
        return any(select.select([self._socket] if events & _POLLIN else [], write, [], left))

    # -- the event loop

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        try:
            self._reader.watch()
            if self._frames.unsent:
                self._writer.watch()
        except NotImplementedError:
            text = "this event loop cannot watch sockets: use asyncio.SelectorEventLoop"
            raise RuntimeError(text) from None

    def _wake_loop(self) -> None:
        """Have the event loop see to what is left to be sent, or delivered."""
        loop = self._loop
        if loop is not None and (self._frames.unsent or self._tasks):
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._see_to_rest, loop)

    def _see_to_rest(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is self._loop and not self._lost:
            if self._frames.unsent:
                self._writer.watch()
            self._on_readable()

    def _on_writable(self) -> bool:
        """Send the rest in the event loop. Return whether there is more."""
        self._flush()
        return self.unsent and not self._lost

    def _on_readable(self) -> bool:
        """Read in the event loop, unless a thread does. Return whether a task waits for more."""
        self._read(0.0, self._read_all)
        return self._tasks > 0 and not self._lost

    def _read_all(self) -> bool:
        count = self._frames.receive()
        while count > 0 and self._frames.more:
            count = self._frames.receive()
        if count < 0:
            self._lose()
        return True

    # -- receiving; the lock is held

    def _received(self, data: bytes) -> None:
        # A signal may interrupt this anywhere: then it is called again.
        frame = split_frame(data)
        question = self._questions.get(frame.number)
        if question is None:
            pass  # it was given back, and the host knows
        elif frame.kind is Kind.LATER:
            question.later = True
        else:
            self._tell(question, frame)
            self._questions.pop(frame.number, None)

    def _tell(self, question: _Question, answer: Frame | None) -> None:
        question.answers.append(answer)
        if question.waits is None:
            return
        loop, done = question.waits
        if loop is asyncio._get_running_loop():
            _settle(done)
            return
        try:
            loop.call_soon_threadsafe(_settle, done)
        except RuntimeError:  # the loop is closed
            if answer is not None:
                self.give_back(answer.number)

    # -- the end

    def close(self) -> None:
        """End the connection; calls that wait here end with Closed. From any thread, at any time."""
        self._closed = self._lost = True
        if self._generation != fork.generation:
            self._frames.close()  # its loop and its lock are the parent's
            return
        self._frames.hang_up()  # a thread that reads is done
        try:
            if self._loop is None or self._loop is asyncio._get_running_loop():
                self._end()
            else:
                self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:  # that loop is closed
            self._end()

    def _end(self) -> None:
        """Close the socket. In the event loop's thread, if the loop may watch it."""
        locked = self._reading.acquire(timeout=_CLOSE_TIMEOUT)  # its holder is about to leave
        try:
            self._reader.ignore()
            self._writer.ignore()
            self._lose()
            self._frames.close()
        finally:
            if locked:
                self._reading.release()

    def _lose(self) -> None:
        """Tell all who wait that there will be no answer: the connection has ended. From any thread."""
        self._lost = True
        while self._questions:
            number, question = next(iter(self._questions.items()))
            self._tell(question, None)
            self._questions.pop(number, None)

    def _gone(self, why: str = "is gone", *, sent: bool) -> Exception:
        if self._closed:
            return Closed("the queue is closed")
        return ConnectionLost(f"the host of queues at {self._where} {why}", sent)


def _answer_timeout(data: bytes) -> float:
    return _ANSWER_TIMEOUT + len(data) / _SLOWEST


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
