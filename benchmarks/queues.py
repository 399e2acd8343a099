"""``python -m benchmarks.queues``: the library's queues beside the media by hand, and the originals."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from benchmarks.pair import ContestantFailed, Pair
from benchmarks.queue_contestants import MEDIA, Medium
from benchmarks.queue_rounds import Key, play
from benchmarks.queue_table import as_text
from benchmarks.run import QUICK, tell

__all__: list[str] = []


def _arguments() -> argparse.Namespace:
    titles = [medium.title for medium in MEDIA]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queues", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds to play (default: 5)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the items: a first impression")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the library is too slow twice")
    parser.add_argument(
        "--only", nargs="+", choices=titles, metavar="NAME", default=titles, help=f"of {', '.join(titles)}"
    )
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    return arguments


def _start(medium: Medium, directory: str, stack: ExitStack) -> dict[Key, Pair]:
    pairs = {}
    for who, path in medium.classes().items():
        there, back = stack.enter_context(medium.places(directory))
        client = ["benchmarks.queue_client", path, back, there]
        server = ["benchmarks.queue_server", path, there, back]
        name = f"{medium.title}, {who}"
        pairs[medium.title, who] = stack.enter_context(Pair(name, client, server))
    return pairs


def _run(media: Sequence[Medium], arguments: argparse.Namespace) -> int:
    scale = QUICK if arguments.quick else 1.0
    with TemporaryDirectory(prefix="benchmark-") as directory, ExitStack() as stack:
        pairs: dict[Key, Pair] = {}
        for medium in media:
            pairs |= _start(medium, directory, stack)
        results = play(pairs, arguments.rounds, scale, tell)
        print(as_text(results, media, floors=arguments.check), flush=True)
        misses = results.missed(media) if arguments.check else {}
        if misses:
            tell("the library was too slow: once more, with twice the rounds")
            media = [medium for medium in media if medium.title in misses]
            concerned = {key: pair for key, pair in pairs.items() if key[0] in misses}
            results = play(concerned, 2 * arguments.rounds, scale, tell)
            print(as_text(results, media, floors=True), flush=True)
            misses = results.missed(media)
    for title, words in misses.items():
        tell(f"MISSED: {title}: {words}")
    return 1 if misses else 0


def main() -> int:
    """Run, and leave no process and no queue behind."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return _run([medium for medium in MEDIA if medium.title in arguments.only], arguments)
    except ContestantFailed as error:
        tell(f"failed: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
