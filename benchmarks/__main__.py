"""``python -m benchmarks``: measure, print the table, and with ``--check`` judge."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from benchmarks.contestants import CONTESTANTS, LIMIT
from benchmarks.floors import missed, workloads_of
from benchmarks.pair import ContestantFailed, Pair
from benchmarks.rounds import Results, play
from benchmarks.table import as_json, as_text
from benchmarks.workloads import WORKLOADS

__all__: list[str] = []

QUICK = 0.25  # of the usual number of messages


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds to play (default: 5)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the messages: a first impression")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a floor is missed twice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    parser.add_argument(
        "--only", nargs="+", choices=CONTESTANTS, metavar="NAME", help=f"of {', '.join(CONTESTANTS)}"
    )
    parser.add_argument(
        "--workloads", nargs="+", choices=WORKLOADS, metavar="NAME", help=f"of {', '.join(WORKLOADS)}"
    )
    arguments = parser.parse_args(given)
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    return arguments


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(results: Results, *, floors: bool) -> None:
    print(as_text(results, floors=floors), flush=True)


def _run(arguments: argparse.Namespace) -> int:
    names = [name for name in CONTESTANTS if name == LIMIT or name in (arguments.only or CONTESTANTS)]
    workloads = [name for name in WORKLOADS if name in (arguments.workloads or WORKLOADS)]
    scale = QUICK if arguments.quick else 1.0
    with TemporaryDirectory(prefix="benchmark-") as directory, ExitStack() as stack:
        pairs = [stack.enter_context(Pair(name, directory)) for name in names]
        results = play(pairs, workloads, arguments.rounds, scale, _tell)
        _print(results, floors=arguments.check)
        misses = missed(results) if arguments.check else []
        document = as_json(results)
        if misses:
            _tell("a floor was missed: once more, with twice the rounds")
            concerned = [pair for pair in pairs if pair.name in {LIMIT, *(name for _, name in misses)}]
            results = play(concerned, workloads_of(misses), 2 * arguments.rounds, scale, _tell)
            _print(results, floors=True)
            misses = missed(results)
            document["again"] = as_json(results)
    if arguments.json is not None:
        arguments.json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    for workload, name in misses:
        share, floor = results.share(workload, name), CONTESTANTS[name].floors[workload]
        _tell(f"MISSED: {CONTESTANTS[name].title}, {WORKLOADS[workload].title}: {share:.2f} < {floor:.2f}")
    return 1 if misses else 0


def main() -> int:
    """Run, and leave no process behind."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return _run(_arguments())
    except ContestantFailed as error:
        _tell(f"failed: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
