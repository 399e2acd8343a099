"""Floors: the shares of the limit below which the library must not fall."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.contestants import CONTESTANTS
from benchmarks.rounds import Results

__all__ = ["missed", "workloads_of"]


def missed(results: Results) -> list[tuple[str, str]]:
    """Give every workload and contestant whose share is below its floor."""
    return [
        (workload, name)
        for workload, names in results.measured.items()
        for name in names
        if results.share(workload, name) < CONTESTANTS[name].floors.get(workload, 0.0)
    ]


def workloads_of(misses: Sequence[tuple[str, str]]) -> list[str]:
    """Give the workloads of *misses*, each once."""
    return list(dict.fromkeys(workload for workload, _ in misses))
