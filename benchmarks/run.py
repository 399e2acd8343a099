"""One run: start the contestants, measure, print the table, and with ``--check`` judge."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from benchmarks.contestants import CONTESTANTS
from benchmarks.floors import missed, workloads_of
from benchmarks.pair import ContestantFailed, Pair
from benchmarks.rounds import Results, play
from benchmarks.table import as_json, as_text
from benchmarks.workloads import WORKLOADS

__all__ = ["QUICK", "main", "tell"]

QUICK = 0.25  # of the usual number of messages


def main(program: str, description: str | None, names: Sequence[str], workloads: Sequence[str]) -> int:
    """Read the command line of *program*, run, and leave no process behind. Return the exit code."""
    arguments = _arguments(program, description, names, workloads)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return _run(
            [name for name in names if CONTESTANTS[name].is_limit or name in (arguments.only or names)],
            [name for name in workloads if name in (arguments.workloads or workloads)],
            arguments,
        )
    except ContestantFailed as error:
        tell(f"failed: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


def tell(line: str) -> None:
    """Say something that is no result."""
    print(line, file=sys.stderr, flush=True)


def _arguments(
    program: str, description: str | None, names: Sequence[str], workloads: Sequence[str]
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds to play (default: 5)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the messages: a first impression")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a floor is missed twice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument(
        "--workloads", nargs="+", choices=workloads, metavar="NAME", help=f"of {', '.join(workloads)}"
    )
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    return arguments


def _pair(name: str, directory: str) -> Pair:
    contestant = CONTESTANTS[name]
    address = contestant.new_address(name, directory)
    server = None if contestant.starts_server else ["benchmarks.server", name, address]
    return Pair(name, ["benchmarks.client", name, address], server)


def _run(names: Sequence[str], workloads: Sequence[str], arguments: argparse.Namespace) -> int:
    scale = QUICK if arguments.quick else 1.0
    with TemporaryDirectory(prefix="benchmark-") as directory, ExitStack() as stack:
        pairs = [stack.enter_context(_pair(name, directory)) for name in names]
        results = play(pairs, workloads, arguments.rounds, scale, tell)
        _print(results, floors=arguments.check)
        misses = missed(results) if arguments.check else []
        document = as_json(results)
        if misses:
            tell("a floor was missed: once more, with twice the rounds")
            again = {results.limit, *(name for _, name in misses)}
            concerned = [pair for pair in pairs if pair.name in again]
            results = play(concerned, workloads_of(misses), 2 * arguments.rounds, scale, tell)
            _print(results, floors=True)
            misses = missed(results)
            document["again"] = as_json(results)
    if arguments.json is not None:
        arguments.json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    for workload, name in misses:
        share, floor = results.share(workload, name), CONTESTANTS[name].floors[workload]
        tell(f"MISSED: {CONTESTANTS[name].title}, {WORKLOADS[workload].title}: {share:.2f} < {floor:.2f}")
    return 1 if misses else 0


def _print(results: Results, *, floors: bool) -> None:
    print(as_text(results, floors=floors), flush=True)
