"""The measuring process: ``python -m benchmarks.queue_client MODULE:CLASS INCOMING OUTGOING``.

For each line ``WHAT AMOUNT`` on standard input it prints a number, mostly of seconds.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from statistics import median
from typing import Any, Final

from benchmarks.queue_ends import QueueEnds, find_kind
from benchmarks.queue_library import Library

__all__: list[str] = []

DEADLINE: Final = 60  # seconds: a contestant that hangs must not hang the run
SILENCE: Final = 0.1


def _ready(kind: type[QueueEnds], incoming: str, outgoing: str, count: int) -> float:
    return _put_and_get(kind, incoming, range(count))


def _message(kind: type[QueueEnds], incoming: str, outgoing: str, count: int) -> float:
    return _put_and_get(kind, incoming, [(number, "First message.") for number in range(count)])


def _put_and_get(kind: type[QueueEnds], incoming: str, items: Sequence[Any]) -> float:
    # On the incoming one alone: it is the other process that waits at the outgoing one.
    with closing(kind(incoming, incoming)) as ends:
        ends.ready(items[: max(len(items) // 10, 1)])
        return ends.ready(items) / len(items)


def _round_trip(kind: type[QueueEnds], incoming: str, outgoing: str, count: int) -> float:
    with closing(kind(incoming, outgoing)) as ends:
        times = ends.ping(count + count // 10)
        return median(times[count // 10 :])


def _silence(kind: type[QueueEnds], incoming: str, outgoing: str, count: int) -> float:
    with closing(kind(incoming, outgoing)) as ends:
        assert isinstance(ends, Library)
        return median(ends.after_silence(count, SILENCE))


def _idle(kind: type[QueueEnds], incoming: str, outgoing: str, seconds: int) -> float:
    with closing(kind(incoming, outgoing)) as ends:
        assert isinstance(ends, Library)
        return ends.idle(seconds) / seconds


def main(path: str, incoming: str, outgoing: str) -> None:
    """Measure what the parent asks for."""
    kind = find_kind(path)
    measures: dict[str, Callable[[type[QueueEnds], str, str, int], float]] = {
        "ready": _ready,
        "message": _message,
        "round_trip": _round_trip,
        "silence": _silence,
        "idle": _idle,
    }
    print("ready", flush=True)
    for line in sys.stdin:
        signal.alarm(DEADLINE)
        what, amount = line.split()
        print(measures[what](kind, incoming, outgoing, int(amount)), flush=True)
        signal.alarm(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
