"""The connection of a ManagerQueue to a QueueHost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from ...aio.waiters import Line, Place
from ...exceptions import Closed, ConnectionLost
from .frame_reader import FrameReader
from .permits import Permits
from .protocol import LARGE, Frame, Item, Kind, join_frame, split_frame
from .remote import Claim, Claims, Offer, RemoteQueue

__all__ = ["HostClient"]

_PATIENCE: Final = 5.0  # seconds for an answer that takes no waiting
_SLOWEST: Final = 10_000_000  # bytes a second
# Seconds that the event loop stands still for an answer; most come in a tenth of that.
_GLANCE: Final = 0.0005
_FLUSH_TIME: Final = 1.0

T = TypeVar("T")

Tell = Callable[[Frame | None], object]


class HostClient(RemoteQueue):
    """One queue of a QueueHost.

    A thread receives, and sends what the socket did not take at once. It sleeps while there is nothing to do.

    Args:
        sock: connected to the queue; this object owns it from now on.
        where: the host's address, for messages.
        capacity: how many items the queue holds; 0: any number.
        getters, putters: those who wait here.
    """

    def __init__(self, sock: socket.socket, where: str, capacity: int, getters: Line, putters: Line) -> None:
        self.capacity = capacity
        self._may_post: bool | None = None
        self._where = where
        self._frames = FrameReader(sock, self._received)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: dict[int, Tell] = {}
        self._items = Permits(self, Kind.ASK_ITEM, getters)
        self._rooms = Permits(self, Kind.ASK_ROOM, putters)
        self._thread = threading.Thread(target=self._run, name=f"communica_like {where}", daemon=True)
        self._thread.start()

    # -- from any thread

    def put_nowait(self, item: Item) -> None:
        self._settle()
        if self._call(Kind.TRY_PUT, item).kind is Kind.REFUSED:
            raise queue.Full

    def post(self, item: Item) -> None:
        if self._may_post is None:
            self._may_post = self._call(Kind.MAY_POST).kind is Kind.DONE
        if not self._may_post or len(item.data) > LARGE:
            self.put_nowait(item)
            return
        self._check()
        self._items.settle()  # or it might go to somebody who has given up here
        try:
            sent = self._frames.try_send(join_frame(Kind.POST, 0, item))
        except OSError as exc:
            self._check_closed()
            raise self._gone(sent=False) from exc
        if sent:
            self._send_all()
        else:
            self.put_nowait(item)

    def get_nowait(self, claims: Claims) -> None:
        self._settle()
        claim = Claim(self, next(self._numbers))
        claims.append(claim)
        claim.item = self._call(Kind.TRY_ITEM, number=claim.number).item
        if claim.item is None:
            claim.void()
            raise queue.Empty

    def qsize(self) -> int:
        self._settle()
        return self._call(Kind.SIZE).value

    def task_done(self) -> None:
        if self._call(Kind.TASK_DONE).kind is Kind.REFUSED:
            raise ValueError("task_done() called too many times")

    def taken(self, claim: Claim) -> None:
        # If the host is gone, the queue is, and nobody else will have the item.
        if not self._frames.send(join_frame(Kind.TAKEN, claim.number)):
            self._check_closed()

    def unclaim(self, claim: Claim) -> None:
        self.give_back(claim.number)

    def untake(self, claim: Claim) -> None:
        self._frames.send(join_frame(Kind.UNTAKE, claim.number, claim.item))

    def request(
        self, kind: Kind, tell: Tell, item: Item | None = None, *, number: int | None = None
    ) -> int:
        """Ask the host; *tell* is called in the thread with the answer, or with None if there will be none.

        Raises:
            ConnectionLost: there is nobody to ask.
        """
        if number is None:
            number = next(self._numbers)
        with self._lock:
            if self.lost:
                raise self._gone(sent=False)
            self._waiting[number] = tell
        self._frames.send(join_frame(kind, number, item))
        self._frames.wake()
        return number

    def ask_again(self, kind: Kind, number: int) -> None:
        """Ask for what was asked for under this number already."""
        self._check()
        self._frames.send(join_frame(kind, number))
        self._frames.wake()

    def give_back(self, number: int) -> None:
        """What was asked for, or given, under this number is not wanted any more."""
        with self._lock:
            self._waiting.pop(number, None)
        self._frames.send(join_frame(Kind.BACK, number))

    # -- from the event loop

    async def join(self) -> None:
        await self._ask(Kind.JOIN, limited=False)

    async def offer(self, item: Item) -> Offer:
        # What says that an item is put must be short, since it cannot be taken back: a large one is sent, and
        # held by the host, before there is room.
        if len(item.data) <= LARGE:
            return Offer(item)
        return Offer(item, (await self._ask(Kind.OFFER, item)).number)

    def quick_take(self) -> Claim | None:
        self._check()
        given = self._items.glance(self._wait_a_moment)
        if given is not None:
            return self._claim(given)
        self._check()
        return None

    def quick_fill(self, offer: Offer) -> bool:
        # If the answer comes at once, this is quicker than a way through the event loop.
        self._items.settle()
        self._rooms.give_back()  # the caller is the first: those for whom it was asked are gone
        try:
            answer = self._answer(Kind.TRY_ROOM, None, None, _GLANCE)
        except queue.Empty:
            return False
        if answer is None:
            raise self._gone(sent=False)
        if answer.kind is Kind.REFUSED:
            raise queue.Full
        self._fill(answer.number, offer)
        return True

    async def try_take(self, place: Place) -> Claim:
        try:
            try:
                answer = self._answered()
            except queue.Empty:
                answer = await place.wait(self._answered, _PATIENCE)
            if answer.kind is Kind.COMING:
                answer = await place.wait(self._given, _PATIENCE + answer.value / _SLOWEST)
        except queue.Empty:
            raise self._silent(sent=False) from None
        return self._claim(answer)

    async def take_now(self) -> Claim:
        self._settle()
        return self._claim(await self._ask(Kind.TRY_ITEM, at_once=True))

    async def try_fill(self, offer: Offer) -> None:
        answer = await self._ask(Kind.TRY_ROOM)
        if answer.kind is Kind.REFUSED:
            raise queue.Full
        self._fill(answer.number, offer)

    def take(self) -> Claim:
        return self._claim(self._given())

    def fill(self, offer: Offer) -> None:
        self._check()
        given = self._rooms.take()
        if given is None:
            raise queue.Full
        self._fill(given.number, offer)

    def withdraw(self, offer: Offer) -> None:
        if offer.number is not None:
            self.give_back(offer.number)

    def watch_items(self) -> None:
        self._items.watch()

    def ignore_items(self) -> None:
        self._items.ignore()

    def watch_room(self) -> None:
        self._rooms.watch()

    def ignore_room(self) -> None:
        self._rooms.ignore()

    def hang_up(self) -> None:
        self._frames.hang_up()

    def close(self) -> None:
        self._closed = True
        self._frames.end()

    def wait_closed(self) -> None:
        self._thread.join(_FLUSH_TIME)

    # --

    def _run(self) -> None:
        try:
            self._frames.run()
        finally:
            with self._lock:
                self.lost = True
                waiting = list(self._waiting.values())
                self._waiting.clear()
            for tell in waiting:
                tell(None)

    def _received(self, data: bytes) -> None:
        # A signal may interrupt this anywhere: then it is called again.
        frame = split_frame(data)
        tell = self._waiting.get(frame.number)
        if tell is not None:  # if None, it was given back, and the host knows
            tell(frame)
            if frame.kind not in (Kind.LATER, Kind.COMING):  # the item comes after that
                self._waiting.pop(frame.number, None)

    def _call(self, kind: Kind, item: Item | None = None, *, number: int | None = None) -> Frame:
        unknown = kind in (Kind.TRY_PUT, Kind.TASK_DONE)
        try:
            answer = self._answer(kind, item, number, _patience(item))
        except queue.Empty:
            raise self._silent(sent=unknown) from None
        if answer is None:
            self._check_closed()
            raise self._gone(sent=unknown)
        return answer

    def _answer(self, kind: Kind, item: Item | None, number: int | None, patience: float) -> Frame | None:
        """Return the answer, or None if there will be none; or raise queue.Empty if it takes too long."""
        answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        if number is None:
            number = next(self._numbers)
        try:
            self.request(kind, answers.put, item, number=number)
            return self._await(answers, patience)
        except BaseException as exc:  # Ctrl-C among them
            if not isinstance(exc, ConnectionLost):
                self.give_back(number)
            raise

    def _await(self, answers: queue.SimpleQueue[T], seconds: float) -> T:
        """Return the first of the answers, or raise queue.Empty if it takes too long."""
        deadline = time.monotonic() + seconds
        if len(self._waiting) == 1:
            try:
                self._frames.read_for(lambda: not answers.empty(), seconds)
            finally:
                if self._waiting:  # others came meanwhile
                    self._frames.wake()
        return answers.get(timeout=max(0.0, deadline - time.monotonic()))

    def _wait_a_moment(self, told: queue.SimpleQueue[bool]) -> None:
        # Most answers come at once: that is quicker than a way through the event loop.
        with contextlib.suppress(queue.Empty):
            self._await(told, _GLANCE)

    def _answered(self) -> Frame:
        self._check()
        return self._items.answer()

    def _given(self) -> Frame:
        self._check()
        given = self._items.take()
        if given is None:
            raise queue.Empty
        return given

    async def _ask(
        self, kind: Kind, item: Item | None = None, *, limited: bool = True, at_once: bool = False
    ) -> Frame:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Frame | None] = loop.create_future()
        answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()

        def tell(frame: Frame | None) -> None:
            answers.put(frame)
            try:
                loop.call_soon_threadsafe(_settle, done, frame)
            except RuntimeError:  # the loop is closed
                if frame is not None:
                    self.give_back(frame.number)

        number = self.request(kind, tell, item)
        try:
            if at_once:  # most answers come so, which is quicker than a way through the event loop
                with contextlib.suppress(queue.Empty):
                    done.set_result(self._await(answers, _GLANCE))
            async with asyncio.timeout(_patience(item) if limited else None):
                answer = await done
        except TimeoutError:
            self.give_back(number)
            raise self._silent(sent=False) from None
        except BaseException:
            self.give_back(number)
            raise
        if answer is None:
            raise self._gone(sent=False)
        return answer

    def _claim(self, given: Frame) -> Claim:
        if given.item is None:
            raise queue.Empty
        return Claim(self, given.number, given.item)

    def _fill(self, number: int, offer: Offer) -> None:
        self._items.settle()
        if offer.number is None:
            self._frames.send(join_frame(Kind.FILL, number, offer.item))
        else:
            self._frames.send(join_frame(Kind.FILL_HELD, number, value=offer.number))
            offer.number = None
        self._send_all()

    def _send_all(self) -> None:
        """If an item that was put is behind others that the socket has not taken, wait until it is there."""
        if self._frames.unsent:
            try:
                self._call(Kind.SIZE)  # with its answer, all that was sent before is there
            except ConnectionLost as exc:
                raise self._gone(sent=True) from exc

    def _settle(self) -> None:
        """Give back what nobody here waits for any more, before looking what there is."""
        self._items.settle()
        self._rooms.settle()

    def _check(self) -> None:
        if self.lost:
            raise self._gone(sent=False)

    def _check_closed(self) -> None:
        if self._closed:
            raise Closed("the queue is closed")

    def _gone(self, *, sent: bool) -> ConnectionLost:
        return ConnectionLost(f"the host of queues at {self._where} is gone", sent)

    def _silent(self, *, sent: bool) -> ConnectionLost:
        return ConnectionLost(f"the host of queues at {self._where} does not answer", sent)


def _patience(item: Item | None) -> float:
    return _PATIENCE + (len(item.data) / _SLOWEST if item is not None else 0.0)


def _settle(done: asyncio.Future[Frame | None], frame: Frame | None) -> None:
    if not done.done():
        done.set_result(frame)
