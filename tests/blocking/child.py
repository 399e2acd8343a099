"""Programs in processes of their own: ``python -m tests.blocking.child PROGRAM QUEUE ...``."""

from __future__ import annotations

import queue
import signal
import sys
import threading
from typing import Any

from tests.blocking.media import opened

__all__: list[str] = []


def say(what: object) -> None:
    print(what, flush=True)


def echo(name: str, answers: str) -> None:
    """Give all items back by another queue, until None comes."""
    source, target = opened(name), opened(answers)
    while (item := source.get()) is not None:
        target.put(item)
    say("ended")


def write(name: str, count: str) -> None:
    """Put numbers, then None."""
    target = opened(name)
    for number in range(int(count)):
        target.put(number)
    target.put(None)


def blocked_get(name: str) -> None:
    """Wait, be interrupted, and get what comes then."""
    source = opened(name)
    say("waits")
    try:
        source.get()
    except KeyboardInterrupt:
        say("interrupted")
    say(source.get())


def blocked_put(name: str) -> None:
    """Fill the queue, wait for room, be interrupted."""
    target = opened(name)
    count = 0
    try:
        while True:
            target.put_nowait((count, "x" * 400))
            count += 1
    except queue.Full:
        say(count)
    try:
        target.put((count, "x" * 400))
    except KeyboardInterrupt:
        say("interrupted")
    sys.stdin.readline()


class Armed:
    """Makes KeyboardInterrupt of SIGINT only where the program can tell what it has got."""

    def __init__(self) -> None:
        self.armed = False
        signal.signal(signal.SIGINT, self._signalled)

    def _signalled(self, *_: object) -> None:
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt


def hammered_get(name: str, least: str) -> None:
    """Get numbers until None comes, interrupted at any moment; say when that was often enough."""
    source = opened(name)
    handler = Armed()
    got: list[Any] = []
    interrupted = 0
    say("ready")
    while not got or got[-1] is not None:
        handler.armed = True
        try:
            got.append(source.get())
            handler.armed = False
        except KeyboardInterrupt:
            interrupted += 1
            if interrupted == int(least):
                say("enough")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    say(len(got) - 1 if got[:-1] == list(range(len(got) - 1)) else got)
    say(threading.active_count())
    source.close()


def hammered_alarm(name: str, least: str) -> None:
    """The same with a timer, whose handler raises an Exception."""
    source = opened(name)
    got: list[Any] = []
    alarms = 0
    armed = False

    def on_alarm(*_: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise TimeoutError("the alarm")

    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
    while not got or got[-1] is not None:
        armed = True
        try:
            got.append(source.get())
            armed = False
        except TimeoutError:
            alarms += 1
            if alarms == int(least):
                say("enough")
    signal.setitimer(signal.ITIMER_REAL, 0)
    say(len(got) - 1 if got[:-1] == list(range(len(got) - 1)) else got)
    source.close()


def hammered_put(name: str, count: str, least: str) -> None:
    """Put numbers until it was interrupted often enough; say how many, and which may be there or not."""
    target = opened(name)
    handler = Armed()
    doubtful: list[int] = []
    say("ready")
    number = 0
    while number < int(count) or len(doubtful) < int(least):
        handler.armed = True
        try:
            target.put(number)
            handler.armed = False
        except KeyboardInterrupt:
            doubtful.append(number)
        number += 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    target.put(None)
    say(number)
    say(" ".join(map(str, doubtful)))


def first_wait(name: str) -> None:
    """Be interrupted while the portal starts and stops, over and over; then get an item."""
    handler = Armed()
    interrupted = 0
    say("ready")
    while interrupted < 30:
        source = opened(name)
        handler.armed = True
        try:
            try:
                source.get(timeout=0.005)
            except queue.Empty:
                pass
            source._leave()
            handler.armed = False
        except KeyboardInterrupt:
            interrupted += 1
        source._leave()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source = opened(name)
    say("waits")
    say(source.get())
    say(sorted(thread.name for thread in threading.enumerate()))


if __name__ == "__main__":
    programs: dict[str, Any] = {key: value for key, value in globals().items() if callable(value)}
    programs[sys.argv[1]](*sys.argv[2:])
