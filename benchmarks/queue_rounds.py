"""Rounds of the queues: everyone measures everything in turn, as in rounds.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from benchmarks.pair import Pair
from benchmarks.queue_contestants import BY_HAND, MOST_IDLE, MOST_SILENT, MOST_TIMES, OURS, Medium

__all__ = ["MEASURES", "Key", "QueueResults", "play"]

TURNS = 3  # per round and measure; the best counts

MEASURES: Final = {"ready": ("ready put and get", 5_000), "round_trip": ("round trip", 1_000)}
"""What is measured in rounds: its title, and how many items make one measurement."""

SILENCES: Final = 20
IDLE: Final = 3  # seconds

Key = tuple[str, str]
"""The title of a medium, and BY_HAND, OURS or ORIGINAL."""


@dataclass(slots=True)
class QueueResults:
    """What was found.

    Attributes:
        seconds: for each measure and contestant the time of one item, round by round.
        idle, silence: by the titles of media: the share of a processor that a waiting get of the library
            takes, and the seconds that an item takes after a silence.
    """

    seconds: dict[str, dict[Key, list[float]]] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    silence: dict[str, float] = field(default_factory=dict)

    def micros(self, measure: str, key: Key) -> float:
        """Microseconds of one item, the median of all rounds."""
        return median(self.seconds[measure][key]) * 1e6

    def times(self, measure: str, key: Key) -> float:
        """How many times as long as by hand in the same round: the median of all rounds."""
        of = self.seconds[measure]
        return median(own / raw for own, raw in zip(of[key], of[key[0], BY_HAND], strict=True))

    def missed(self, media: Sequence[Medium]) -> dict[str, str]:
        """Return what is worse than it may be, in words, by the titles of *media*."""
        found = {}
        for medium in media:
            title, words = medium.title, []
            if (title, OURS) not in self.seconds["round_trip"]:
                continue
            times = self.times("round_trip", (title, OURS))
            if medium.judged and times > MOST_TIMES:
                words.append(f"a round trip takes {times:.2f} times as long as by hand, not {MOST_TIMES}")
            if self.silence[title] > MOST_SILENT:
                words.append(f"after a silence an item takes {self.silence[title] * 1e3:.2f} ms")
            if self.idle[title] > MOST_IDLE:
                words.append(f"a waiting get takes {self.idle[title]:.2%} of a processor")
            if words:
                found[title] = "; ".join(words)
        return found


def play(
    pairs: Mapping[Key, Pair], rounds: int, scale: float, tell: Callable[[str], None]
) -> QueueResults:
    """Play *rounds* rounds, then measure how the library waits."""
    results = QueueResults({measure: {key: [] for key in pairs} for measure in MEASURES})
    keys = list(pairs)
    for number in range(rounds):
        tell(f"round {number + 1} of {rounds}")
        for measure, (_, count) in MEASURES.items():
            turns: dict[Key, list[float]] = {key: [] for key in keys}
            for turn in range(TURNS):
                first = (number * TURNS + turn) % len(keys)
                for key in (*keys[first:], *keys[:first]):
                    turns[key].append(pairs[key].ask(f"{measure} {max(int(count * scale), 10)}"))
            for key, all_turns in turns.items():
                results.seconds[measure][key].append(min(all_turns))
    tell("waiting")
    _wait({title: pair for (title, who), pair in pairs.items() if who == OURS}, results)
    return results


def _wait(pairs: Mapping[str, Pair], results: QueueResults) -> None:
    # A waiting get, all at once; then items after a silence, one queue after the other.
    for pair in pairs.values():
        pair.tell(f"idle {IDLE}")
    for title, pair in pairs.items():
        results.idle[title] = pair.answer()
    for title, pair in pairs.items():
        results.silence[title] = pair.ask(f"silence {SILENCES}")
