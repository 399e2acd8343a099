"""Rounds: everyone measures everything in turn, so that the machine's moods fall on all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.contestants import CONTESTANTS
from benchmarks.pair import Pair
from benchmarks.workloads import Measurement

__all__ = ["Results", "play"]

TURNS = 3  # per round and workload; the best counts, for what else the machine does can only slow one down


@dataclass(slots=True)
class Results:
    """For each workload and contestant the measurements, one per round."""

    measured: dict[str, dict[str, list[Measurement]]] = field(default_factory=dict)

    def rate(self, workload: str, name: str) -> float:
        """Messages per second, the median of all rounds."""
        return median(one.rate for one in self.measured[workload][name])

    def p50(self, workload: str, name: str) -> float | None:
        """Microseconds of the median message, the median of all rounds; None where none was timed."""
        times = [one.p50 for one in self.measured[workload][name] if one.p50 is not None]
        return median(times) if times else None

    @property
    def limit(self) -> str | None:
        """The contestant that the others are measured against, if it took part."""
        names = next(iter(self.measured.values()))
        return next((name for name in names if CONTESTANTS[name].is_limit), None)

    def shares(self, workload: str, name: str) -> list[float]:
        """The rate as a share of the limit's in the same round, round by round."""
        of = self.measured[workload]
        assert self.limit is not None, "without a limit there are no shares"
        return [own.rate / limit.rate for own, limit in zip(of[name], of[self.limit], strict=True)]

    def share(self, workload: str, name: str) -> float:
        """The median of all rounds' shares."""
        return median(self.shares(workload, name))


def play(
    pairs: Sequence[Pair],
    workloads: Sequence[str],
    rounds: int,
    scale: float = 1.0,
    tell: Callable[[str], None] = lambda line: None,
) -> Results:
    """Play *rounds* rounds: for each workload everyone has three turns, of which the best counts."""
    results = Results({workload: {pair.name: [] for pair in pairs} for workload in workloads})
    for number in range(rounds):
        tell(f"round {number + 1} of {rounds}")
        for workload in workloads:
            turns: dict[str, list[Measurement]] = {pair.name: [] for pair in pairs}
            for turn in range(TURNS):
                first = (number * TURNS + turn) % len(pairs)
                for pair in (*pairs[first:], *pairs[:first]):
                    own_scale = scale * CONTESTANTS[pair.name].scale
                    turns[pair.name].append(Measurement(**pair.ask(f"{workload} {own_scale}")))
            for name, all_turns in turns.items():
                results.measured[workload][name].append(max(all_turns, key=lambda one: one.rate))
    return results
