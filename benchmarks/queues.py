"""``python -m benchmarks.queues``: what the library adds to the kernel's queues; with ``--check``, judge."""

from __future__ import annotations

import argparse
import os
import sys
from statistics import median
from time import perf_counter

from benchmarks.queue_contestants import CONTESTANTS, FLOOR, QueuePair

__all__: list[str] = []

PROCESSORS = os.sched_getaffinity(0)
READY = 20_000
ROUND_TRIPS = 3_000


def settle(which: int) -> None:
    """Stay on one processor: where the scheduler would move a process to decides more than what it does."""
    processors = sorted(PROCESSORS)
    os.sched_setaffinity(0, {processors[which % len(processors)]})


def measure(kind: type[QueuePair]) -> tuple[float, float]:
    """Return the seconds that a ready put and get takes, and the median of the round trips."""
    pair = kind()
    try:
        pair.ready(READY // 10)
        began = perf_counter()
        pair.ready(READY)
        ready = (perf_counter() - began) / READY
        child = os.fork()
        if not child:
            try:
                settle(1)
                pair.echo()
            finally:
                os._exit(0)
        times = pair.ping(ROUND_TRIPS, perf_counter)
        os.waitpid(child, 0)
    finally:
        pair.remove()
    return ready, median(times[ROUND_TRIPS // 10 :])


def main() -> int:
    """Play the rounds, one contestant after the other in each; print the medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queues", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds to play (default: 5)")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 if a share is above {FLOOR}")
    arguments = parser.parse_args()
    settle(0)
    found: dict[type[QueuePair], list[tuple[float, float]]] = {}
    for _ in range(arguments.rounds):
        for _, by_hand, ours in CONTESTANTS:
            for kind in (by_hand, ours):
                found.setdefault(kind, []).append(measure(kind))
    print(f"{'':10}{'ready put and get':>28}{'round trip':>34}")
    missed = 0
    for name, by_hand, ours in CONTESTANTS:
        line = f"{name:10}"
        for column in (0, 1):
            raw, own = (median(times[column] for times in found[kind]) * 1e6 for kind in (by_hand, ours))
            line += f"   by hand {raw:6.1f} µs, times {own / raw:4.2f}"
        if own / raw > FLOOR:
            missed += 1
            line += f"  (at most {FLOOR})!"
        print(line)
    return 1 if missed and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
