"""``python -m benchmarks.blocking``: blocking queues beside the originals, and clients beside asyncio's."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.contestants import CONTESTANTS
from benchmarks.pair import ContestantFailed, Pair
from benchmarks.queue_contestants import MEDIA, ORIGINAL, OURS, Medium
from benchmarks.run import QUICK, tell

__all__: list[str] = []

TURNS: Final = 3  # per round and measure; the best counts

QUEUES: Final = {"ready": 5_000, "round_trip": 1_000}
PIPES: Final = {"ready": 5_000, "message": 5_000, "round_trip": 1_000}
"""How many items make one measurement: numbers; for pipes also messages, as turberfield documents them."""

CLASSES: Final = {"PosixMQ": "Posix", "SysVMQ": "SysV", "PipeQueue": "Pipe", "ManagerQueue": "Manager"}

MOST: Final = {
    ("PosixMQ", "ready"): 1.0,
    ("SysVMQ", "ready"): 1.0,
    ("PipeQueue", "ready"): 1 / 3,  # this one and the next are missed; docs/howto/blocking.md says why
    ("PipeQueue", "message"): 1 / 3,
    ("ManagerQueue", "ready"): 1 / 2,
    ("PosixMQ", "round_trip"): 1.3,
    ("SysVMQ", "round_trip"): 1.3,
}
"""How many times as long as the original the library's blocking queue may take."""

CLIENTS: Final = {"asyncio": 2_000, "blocking": 2_000, "one": 2_000, "threads": 16_000}
MOST_BLOCKING: Final = 2.2
"""How many times as long as the asyncio client's a blocking client's request may take."""
LEAST_THREADS: Final = 3.0
"""How many times the rate of one thread 16 threads with one client have."""

Times = dict[tuple[str, str], list[float]]


def _queue(medium: Medium, who: str, directory: str, stack: ExitStack) -> Pair:
    path = f"benchmarks.queue_blocking:{CLASSES[medium.title]}" if who == OURS else medium.classes()[who]
    there, back = stack.enter_context(medium.places(directory))
    client = ["benchmarks.queue_client", path, back, there]
    server = ["benchmarks.queue_server", path, there, back]
    return stack.enter_context(Pair(f"{medium.title}, {who}", client, server))


def _play(pairs: dict[str, Pair], what: dict[str, int], rounds: int, scale: float) -> Times:
    found: Times = {(name, measure): [] for name in pairs for measure in what}
    for _ in range(rounds):
        for measure, count in what.items():
            turns: dict[str, list[float]] = {name: [] for name in pairs}
            for _ in range(TURNS):
                for name, pair in pairs.items():
                    turns[name].append(float(pair.ask(f"{measure} {max(int(count * scale), 100)}")))
            for name, times in turns.items():
                found[name, measure].append(min(times))
    return found


def _queues(directory: str, rounds: int, scale: float) -> list[str]:
    missed = []
    print(f"{'queue':<14}{'measure':<12}{'original':>12}{'library':>10}")
    for medium in MEDIA:
        if not medium.has_original():
            tell(f"{medium.title}: {medium.package} is not installed")
            continue
        with ExitStack() as stack:
            pairs = {who: _queue(medium, who, directory, stack) for who in (OURS, ORIGINAL)}
            measures = PIPES if medium.title == "PipeQueue" else QUEUES
            found = _play(pairs, measures, rounds, scale)
        for measure in measures:
            original = found[ORIGINAL, measure]
            times = median(a / b for a, b in zip(found[OURS, measure], original, strict=True))
            most = MOST.get((medium.title, measure))
            over = most is not None and times > most
            verdict = "" if most is None else f" (at most {most:.2f}){'!' if over else ''}"
            print(
                f"{medium.title:<14}{measure:<12}{median(original) * 1e6:9.1f} µs{times:10.2f}{verdict}",
                flush=True,
            )
            if over:
                missed.append(f"{medium.title}, {measure}: {times:.2f} times the original")
    return missed


def _clients(directory: str, rounds: int, scale: float) -> list[str]:
    address = CONTESTANTS["local"].new_address("local", directory)
    client, server = ["benchmarks.blocking_client", address], ["benchmarks.server", "local", address]
    with Pair("clients", client, server) as pair:
        found = _play({"": pair}, CLIENTS, rounds, scale)
    asyncio, blocking, one, threads = (found["", measure] for measure in CLIENTS)
    times = median(a / b for a, b in zip(blocking, asyncio, strict=True))
    rate = median(a / b for a, b in zip(one, threads, strict=True))
    print(f"\nasyncio client, one request after another   {median(asyncio) * 1e6:7.1f} µs")
    print(f"blocking client                             {times:7.2f} times that (at most {MOST_BLOCKING})")
    print(f"16 threads with one client                  {rate:7.2f} times one's (at least {LEAST_THREADS})")
    missed = [] if times <= MOST_BLOCKING else [f"a blocking request takes {times:.2f} times an asyncio one"]
    return missed if rate >= LEAST_THREADS else [*missed, f"16 threads have {rate:.2f} times the rate of one"]


def main() -> int:
    """Run, and leave no process and no queue behind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blocking", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds to play (default: 5)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the items: a first impression")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a floor is missed")
    arguments = parser.parse_args()
    scale = QUICK if arguments.quick else 1.0
    try:
        with TemporaryDirectory(prefix="benchmark-") as directory:
            missed = _queues(directory, arguments.rounds, scale)
            missed += _clients(directory, arguments.rounds, scale)
    except ContestantFailed as error:
        tell(f"failed: {error}")
        return 2
    for line in missed:
        tell(f"MISSED: {line}")
    return 1 if missed and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
