"""A line for frames with a thread of its own, which stands back while others read for themselves."""

from __future__ import annotations

import os
import select
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ...system import fork
from .framed_socket import FrameSocket

__all__ = ["FrameReader"]

_QUICK: Final = 0.00015  # seconds; longer than the other side takes to answer
_give_way: Final[Callable[[], object]] = getattr(os, "sched_yield", lambda: None)
_REST: Final = 20  # milliseconds without a read_for, until the thread of run receives again
# Not a selector that has a descriptor of its own, where there is a choice.
_Selector: Final = getattr(selectors, "PollSelector", selectors.SelectSelector)


class FrameReader(FrameSocket):
    """A FrameSocket for which a thread calls ``run``, while others may call ``read_for``.

    Args:
        sock, received: as for FrameSocket.

    Attributes:
        resting: whether the thread in ``run`` leaves it to others to receive; ``wake`` ends that.
    """

    def __init__(self, sock: socket.socket, received: Callable[[bytes], object]) -> None:
        super().__init__(sock, received, self._wake)
        self._reading = threading.Lock()
        self._quick = False  # whether it paid to look again
        self._direct = 0  # how often read_for was called
        self.resting = False
        self._wake_end, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        # Where there is none, all is left to the thread in run.
        self._poll = _polled(sock)
        self._wake_descriptors = [each.fileno() for each in (self._wake_end, self._waker)]
        for descriptor in self._wake_descriptors:
            fork.add(descriptor)

    def end(self) -> None:
        """Send what was taken, then end. Returns at once; whoever is in ``run`` leaves it."""
        with self._lock:
            if not self._over:
                self._ending = True
                self._wake()

    def wake(self) -> None:
        """Have the thread in ``run`` receive, if it rests."""
        if self.resting:
            self._wake()

    def read_for(self, ready: Callable[[], bool], seconds: float) -> None:
        """Receive in this thread, which is quicker than to be told by the one in ``run``.

        Returns when *ready*; also if another thread receives, the time is over, or the line has ended. The
        thread in ``run`` may be resting then: see ``wake``.

        Raises:
            Exception: what *received* raises.
        """
        poll = self._poll
        if poll is None:
            return
        locked: list[bool] = []
        try:
            locked.extend(map(self._reading.acquire, (False,)))  # in one step for signals
            if not locked[0]:
                return
            self._direct += 1
            began = time.perf_counter()
            if self._buffer:
                self._deliver()  # what somebody was interrupted in
            if ready():  # another thread was faster
                return
            if self._quick and self._look_again(began) and ready():
                return
            while not self._over:
                left = began + seconds - time.perf_counter()
                if left <= 0 or not poll.poll(left * 1000):
                    self._quick = False
                    return
                if self.receive() < 0:
                    self._wake()
                    return
                if ready():
                    self._quick = time.perf_counter() - began < _QUICK
                    return
        except BaseException:
            self._wake()  # somebody else has to deliver what is there
            raise
        finally:
            if locked and locked[0]:
                self._reading.release()

    def run(self) -> None:
        """Receive, until either side ends. The socket is closed then.

        Raises:
            Exception: what *received* raises; that is the end, too.
        """
        try:
            with _Selector() as selector:
                self._run(selector)
        except OSError:
            pass  # reset: an end like others
        finally:
            with self._lock:
                self._over = True
                self._unsent.clear()
            self.hang_up()  # whoever is in read_for leaves it
            with self._reading:
                self.close()

    def close(self) -> None:
        """Close the sockets. Nobody may be receiving."""
        super().close()
        with self._lock:
            for descriptor in self._wake_descriptors:
                fork.discard(descriptor)
            for each in (self._wake_end, self._waker):
                each.close()

    def _run(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._wake_end, selectors.EVENT_READ)
        selector.register(self._socket, selectors.EVENT_READ)
        writing = False
        while True:
            wanted = not self.flush()
            if self._ending and not wanted:
                return
            if wanted != writing:
                writing = wanted
                selector.modify(
                    self._socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
                )
            for key, events in selector.select():
                if key.fileobj is self._wake_end:
                    self._wake_end.recv(4096)
                elif not events & selectors.EVENT_READ:
                    continue
                if not self._receive_or_rest():
                    return

    def _receive_or_rest(self) -> bool:
        # In this order: whoever reads looks at "resting" when he has let go of the lock.
        self.resting = True
        if not self._reading.acquire(blocking=False):
            if not self._unsent and not self._ending:  # with which nobody else will go on
                self._rest()
            self.resting = False
            return True
        self.resting = False
        try:
            return self.receive() >= 0
        finally:
            self._reading.release()

    def _look_again(self, began: float) -> bool:
        """Receive what comes within a moment; return whether anything did. The lock of readers is held."""
        while time.perf_counter() - began < _QUICK:
            count = self.receive()
            if count:
                return count > 0  # the end is found again
            _give_way()  # the other side may be waiting for this very processor
        return False

    def _rest(self) -> None:
        """Wait until nobody has received for a while, or ``wake``."""
        woken = _polled(self._wake_end)
        seen = -1
        while woken is not None and seen != self._direct:
            seen = self._direct
            if woken.poll(_REST):
                return

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except (BlockingIOError, InterruptedError):
            pass  # it is awake


def _polled(sock: socket.socket) -> Any:
    """Return a poll object for reading from a socket, or None on a system that has none."""
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll
