"""HostClient: the connection of a ManagerQueue to a QueueHost."""

from __future__ import annotations

import asyncio
import itertools
import queue
import select
import socket
import threading
import time
from typing import Any, Final

from ...aio.eager import set_result_now
from ...exceptions import Closed, ConnectionLost
from ...system import fork
from ..base import FdWatcher
from .framed_socket import QUICK, FramedSocket, give_way
from .protocol import LARGE, Frame, Item, Kind, join_frame, split_frame
from .remote import Lease, RemoteQueue

__all__ = ["HostClient"]

_ANSWER_TIMEOUT: Final = 5.0  # seconds for an answer that takes no waiting
_LOOK_TIMEOUT: Final = 0.0005  # for which the event loop stands still; most come in a tenth of that
_SLOWEST: Final = 10_000_000  # bytes a second
_CLOSE_TIMEOUT: Final = 1.0

_POLLIN: Final = getattr(select, "POLLIN", 1)
_POLLOUT: Final = getattr(select, "POLLOUT", 4)


class _Question:
    """What is asked under one number.

    Attributes:
        answers: its answer, perhaps twice; None: there will be none.
        later: whether the host has hinted that the answer will take its time.
        waits: what is to be done for a task that waits; None: the caller reads for itself.
    """

    __slots__ = ("answers", "later", "waits")

    def __init__(self) -> None:
        self.answers: list[Frame | None] = []
        self.later = False
        self.waits: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None


class HostClient(RemoteQueue):
    """One queue of a QueueHost, over one socket, without a thread.

    While a task waits, its event loop watches the socket. A call that blocks reads the socket itself, under a
    lock, and passes on what is for others.

    What changes the queue for good, ACK, COMMIT and POST, is sent whole, and with nothing unsent before it.
    So a call that has returned has been heard, whatever becomes of this process.

    Args:
        sock: connected to the queue; this object owns it from now on.
        where: the host's address, for messages.
        capacity: how many items the queue holds; 0: any number.
    """

    def __init__(self, sock: socket.socket, where: str, capacity: int) -> None:
        self.capacity = capacity
        self._where = where
        self._frames = FramedSocket(sock, self._received)
        self._numbers = itertools.count(1)
        self._requests: dict[int, _Question] = {}
        self._reading = threading.Lock()  # whoever has it reads, for all
        self._loop_reads = 0  # the event loop's thread, while it does that in a callback of its own
        self._arrived: list[asyncio.Future[None]] = []
        self._quick = False  # whether it paid to look again
        self._lost = self._closed = False
        self._process = fork.generation
        self._ready = _Poll(sock)
        # What tasks wait for.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks = 0
        self._puts = 0
        self._reader = FdWatcher(sock.fileno(), "read", self._on_readable)
        self._writer = FdWatcher(sock.fileno(), "write", self._on_writable)
        self._drained: list[asyncio.Future[None]] = []

    @property
    def lost(self) -> bool:
        if not self._lost and not self._requests and self._ready.hung_up():
            self._lost = True
        return self._lost

    # -- from any thread

    def get_nowait(self, lease: Lease) -> None:
        number = lease.number = next(self._numbers)
        answer = self._call(number, join_frame(Kind.GET, number) + join_frame(Kind.NOW, number))
        lease.item = answer.item
        if answer.item is None:
            lease.void()
            raise queue.Empty

    def put_nowait(self, item: Item) -> None:
        if self._may_post(item):
            self._commit(join_frame(Kind.POST, 0, item))
            return
        number = next(self._numbers)
        data = join_frame(Kind.PUT, number, item) + join_frame(Kind.NOW, number)
        if self._call(number, data).kind is Kind.REFUSED:
            raise queue.Full
        self._commit(join_frame(Kind.COMMIT, number), number)

    def ack(self, lease: Lease) -> None:
        self._commit(join_frame(Kind.ACK, lease.number))

    def back(self, lease: Lease, *, acked: bool) -> None:
        if acked:
            self._send(join_frame(Kind.UNACK, lease.number, lease.item))
        else:
            self._give_back(lease.number)

    def size(self) -> Frame:
        number = next(self._numbers)
        return self._call(number, join_frame(Kind.SIZE, number))

    def task_done(self) -> None:
        number = next(self._numbers)
        if self._call(number, join_frame(Kind.TASK_DONE, number), unknown=True).kind is Kind.REFUSED:
            raise ValueError("task_done() called too many times")

    # -- from the event loop

    async def get(self, lease: Lease, timeout: float | None) -> None:
        number = lease.number = next(self._numbers)
        answer = await self._ask(number, join_frame(Kind.GET, number), timeout)
        if answer.kind is Kind.REFUSED:
            raise queue.Empty
        if self._frames.unsent:
            await self._until_drained(number)
        lease.item = answer.item

    async def put(self, item: Item, timeout: float | None) -> None:
        if self._may_post(item) and self._try_send(join_frame(Kind.POST, 0, item)):
            return
        number = next(self._numbers)
        self._puts += 1
        try:
            data = join_frame(Kind.PUT, number, item)
            answer = await self._ask(number, data, timeout)
            if answer.kind is Kind.REFUSED:
                raise queue.Full
            if self._frames.unsent:
                await self._until_drained(number)
            self._commit(join_frame(Kind.COMMIT, number), number)
        finally:
            self._puts -= 1

    async def join(self) -> None:
        number = next(self._numbers)
        await self._ask(number, join_frame(Kind.JOIN, number), None)

    def close(self) -> None:
        self._closed = self._lost = True
        if self._process != fork.generation:
            self._frames.close()  # its loop and its lock are the parent's
            return
        self._frames.hang_up()  # whoever reads in another thread is done
        loop = self._loop
        if loop is None or loop.is_closed() or _running_loop() is loop:
            self._end()
        else:
            try:
                loop.call_soon_threadsafe(self._end)
            except RuntimeError:  # closed meanwhile
                self._end()

    # -- asking

    def _may_post(self, item: Item) -> bool:
        # Not before items of others here that wait for an answer.
        return not self.capacity and len(item.data) <= LARGE and not self._puts

    def _register(self, number: int) -> _Question:
        question = self._requests[number] = _Question()
        if self._lost:
            self._requests.pop(number, None)
            raise self._gone(sent=False)
        return question

    def _give_back(self, number: int) -> None:
        """Drop a request, and what was leased or held for it."""
        self._requests.pop(number, None)
        self._send(join_frame(Kind.BACK, number))

    def _call(self, number: int, data: bytes, *, unknown: bool = False) -> Frame:
        """Ask, and wait for the answer in this thread.

        Args:
            unknown: whether something may have been done if there is no answer.
        """
        deadline = time.monotonic() + _answer_timeout(data)
        try:
            question = self._register(number)
            self._send(data)
            while not question.answers:
                locked: list[bool] = []
                try:
                    left = max(0.0, deadline - time.monotonic())
                    locked.extend(map(self._reading.acquire, (True,), (left,)))  # in one step for signals
                    if not locked[0] or not self._read_for(question, deadline):
                        raise self._silent(sent=unknown)
                finally:
                    if locked and locked[0]:
                        self._reading.release()
        except BaseException as exc:  # Ctrl-C among them
            self._wake_loop()
            if not isinstance(exc, ConnectionLost) or not self._lost:
                self._give_back(number)
            raise
        return self._answer(question, unknown)

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
            if not quick and not self._ready.wait(events, deadline - time.monotonic()):
                self._quick = False
                return False
            if self._frames.unsent:
                self._flush()
            count = self._frames.receive()
            if count < 0:
                self._lose()
            elif not count:
                give_way()  # the other side may be waiting for this very processor
        self._quick = time.perf_counter() - began < QUICK
        return True

    async def _ask(self, number: int, data: bytes, timeout: float | None) -> Frame:
        """Ask, and wait for the answer in a task.

        Args:
            timeout: seconds; then the host is to answer at once. None: no limit.
        """
        try:
            question = self._register(number)
            if timeout is not None and timeout <= 0:
                data += join_frame(Kind.NOW, number)
            self._send(data)
            # Most answers come at once: that is quicker than a way through the event loop.
            if not self._tasks and self._reading.acquire(blocking=False):
                try:
                    self._read_for(question, time.monotonic() + _LOOK_TIMEOUT, hint=True)
                finally:
                    self._reading.release()
            if not question.answers:
                await self._wait(question, number, timeout, _answer_timeout(data))
        except BaseException:
            self._give_back(number)
            raise
        return self._answer(question)

    async def _wait(
        self, question: _Question, number: int, timeout: float | None, answer_timeout: float
    ) -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        timer: asyncio.TimerHandle | None = None

        def hurry() -> None:
            nonlocal timer
            self._send(join_frame(Kind.NOW, number))
            timer = loop.call_later(answer_timeout, give_up)

        def give_up() -> None:
            if not done.done():
                done.set_exception(self._silent(sent=False))

        if timeout is not None:
            first = (timeout, hurry) if timeout > 0 else (answer_timeout, give_up)
            timer = loop.call_later(*first)
        self._tasks += 1
        try:
            self._watch(loop)
            question.waits = loop, done
            if not question.answers:  # by another thread, just now
                await done
        finally:
            self._tasks -= 1
            if timer is not None:
                timer.cancel()

    def _answer(self, question: _Question, unknown: bool = False) -> Frame:
        answer = question.answers[0]
        if answer is None:
            raise self._gone(sent=unknown)
        return answer

    # -- sending

    def _send(self, data: bytes) -> None:
        """Send what may wait its turn behind what is not sent yet."""
        if not self._lost:
            self._frames.send(data)
            if self._frames.unsent:
                self._wake_loop()

    def _try_send(self, data: bytes) -> bool:
        """Send what changes the queue; return False if the socket does not take it now."""
        try:
            if not self._frames.try_send(data):
                return False
        except OSError as exc:
            raise self._gone(sent=False) from exc
        self._send_rest(sent=True)  # TCP may take a part
        return True

    def _commit(self, data: bytes, number: int | None = None) -> None:
        """Send what changes the queue. This thread waits, if it must.

        Args:
            number: of the request that is dropped if it fails.
        """
        try:
            while not self._try_send(data):
                self._send_rest(sent=False)
        except BaseException:
            if number is not None:
                self._give_back(number)
            raise

    def _send_rest(self, *, sent: bool) -> None:
        """Wait in this thread until nothing is unsent, and the socket takes more."""
        deadline = time.monotonic() + _ANSWER_TIMEOUT
        while self._frames.unsent or not sent:
            if self._lost:
                raise self._gone(sent=sent)
            if not self._ready.wait(_POLLOUT, deadline - time.monotonic()):
                raise self._silent(sent=sent)
            if not self._frames.unsent:
                return
            self._flush()

    def _flush(self) -> None:
        try:
            self._frames.flush()
        except OSError:
            self._lose()

    async def _until_drained(self, number: int) -> None:
        """Wait until the socket takes what is sent next; drop the request of this number if that fails."""
        loop = asyncio.get_running_loop()
        try:
            while self._frames.unsent and not self._lost:
                drained = loop.create_future()
                self._drained.append(drained)
                self._writer.watch()
                await drained
            if self._lost:
                raise self._gone(sent=False)
        except BaseException:
            self._give_back(number)
            raise

    # -- the event loop

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not loop:
            self._loop = loop
            self._drained = []
        try:
            self._reader.watch()
        except NotImplementedError:
            raise RuntimeError(
                "this event loop cannot watch sockets: on Windows, use asyncio.WindowsSelectorEventLoopPolicy"
            ) from None

    def _wake_loop(self) -> None:
        """Have the event loop see to what is left to be sent, or delivered."""
        loop = self._loop
        if loop is not None and (self._frames.unsent or self._tasks or self._drained):
            try:
                loop.call_soon_threadsafe(self._see_to_rest, loop)
            except RuntimeError:
                pass  # the loop is closed

    def _see_to_rest(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop or self._closed:
            return
        if self._lost:
            self._on_writable()
        else:
            if self._frames.unsent:
                self._writer.watch()
            self._on_readable()

    def _on_readable(self) -> bool:
        """Read in the event loop. Return whether a task waits for more."""
        if not self._reading.acquire(blocking=False):
            return True  # another thread reads, also for those who wait here
        self._loop_reads = threading.get_ident()
        try:
            count = self._frames.receive()
            while count > 0 and self._frames.more:
                count = self._frames.receive()
            if count < 0:
                self._lose()
        finally:
            self._loop_reads = 0
            self._reading.release()
        arrived, self._arrived = self._arrived, []
        if len(arrived) == 1 and not arrived[0].done():
            set_result_now(arrived[0], None)
        else:
            for done in arrived:  # in their order
                _settle(done)
        return not self._lost and self._tasks > 0

    def _on_writable(self) -> bool:
        """Send the rest. Return whether there is more to be done when the socket takes something again."""
        if self._frames.unsent and not self._lost:
            self._flush()
            return True  # once more, since the socket may be full now
        drained, self._drained = self._drained, []
        for each in drained:
            _settle(each)
        return False

    # -- receiving; the lock is held

    def _received(self, data: bytes) -> None:
        # A signal may interrupt this anywhere: then it is called again.
        frame = split_frame(data)
        question = self._requests.get(frame.number)
        if question is None:
            pass  # it was given back, and the host knows
        elif frame.kind is Kind.LATER:
            question.later = True
        else:
            self._tell(question, frame)
            self._requests.pop(frame.number, None)

    def _tell(self, question: _Question, answer: Frame | None) -> None:
        question.answers.append(answer)
        if question.waits is None:
            return
        loop, done = question.waits
        if self._loop_reads == threading.get_ident() and loop is self._loop:
            self._arrived.append(done)
            return
        try:
            loop.call_soon_threadsafe(_settle, done)
        except RuntimeError:  # the loop is closed
            if answer is not None:
                self._give_back(answer.number)

    def _lose(self) -> None:
        """Tell all who wait that there will be no answer: the connection has ended. From any thread."""
        self._lost = True
        self._wake_loop()
        while self._requests:
            number, question = next(iter(self._requests.items()))
            self._tell(question, None)
            self._requests.pop(number, None)

    def _end(self) -> None:
        """Close the socket. In the event loop's thread, if the loop may watch it."""
        locked = self._reading.acquire(timeout=_CLOSE_TIMEOUT)  # whoever has it is about to leave
        try:
            self._reader.ignore()
            self._writer.ignore()
            self._lose()
            self._on_writable()
            self._frames.close()
        finally:
            if locked:
                self._reading.release()

    def _gone(self, *, sent: bool) -> Exception:
        if self._closed:
            return Closed("the queue is closed")
        return ConnectionLost(f"the host of queues at {self._where} is gone", sent)

    def _silent(self, *, sent: bool) -> ConnectionLost:
        return ConnectionLost(f"the host of queues at {self._where} does not answer", sent)


class _Poll:
    """Waiting for one socket, in whichever thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._descriptor = sock.fileno()

    def wait(self, events: int, seconds: float) -> bool:
        """Return whether the socket can be read, or written, within this time."""
        if not hasattr(select, "poll"):
            write = [self._socket] if events & _POLLOUT else []
            read = [self._socket] if events & _POLLIN else []
            return any(select.select(read, write, [], max(0.0, seconds)))
        poll: Any = select.poll()
        poll.register(self._descriptor, events)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def hung_up(self) -> bool:
        """Return whether the other side has ended the connection."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _answer_timeout(data: bytes) -> float:
    return _ANSWER_TIMEOUT + len(data) / _SLOWEST


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
