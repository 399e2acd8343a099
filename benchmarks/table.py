"""The results as text and as JSON."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Any

from benchmarks.contestants import CONTESTANTS
from benchmarks.rounds import Results
from benchmarks.workloads import WORKLOADS

__all__ = ["as_json", "as_text"]


def as_text(results: Results, *, floors: bool) -> str:
    """Lay the results out as a table: the limit in numbers, everyone else in shares of it.

    With *floors* each share that has a floor is followed by it, and by an exclamation mark if it is below.
    """
    workloads = list(results.measured)
    names = list(results.measured[workloads[0]])
    head = ["", *(WORKLOADS[workload].title for workload in workloads)]
    rows = [head]
    for name in names:
        cell = _absolute if name == results.limit else _share_and_floor if floors else _share
        rows.append(
            [CONTESTANTS[name].title, *(cell(results, workload, name) for workload in results.measured)]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: list[str], widths: list[int]) -> str:
    first, *others = row
    cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
    return "  ".join((first.ljust(widths[0]), *cells))


def _absolute(results: Results, workload: str, name: str) -> str:
    rate, p50 = f"{results.rate(workload, name):,.0f}/s", results.p50(workload, name)
    return rate if p50 is None else f"{p50:.1f} µs {rate}"


def _share(results: Results, workload: str, name: str) -> str:
    return f"{results.share(workload, name):.2f}"


def _share_and_floor(results: Results, workload: str, name: str) -> str:
    share, floor = results.share(workload, name), CONTESTANTS[name].floors.get(workload)
    if floor is None:
        return f"{share:.2f}            "
    return f"{share:.2f} (floor {floor:.2f}){'!' if share < floor else ' '}"


def as_json(results: Results) -> dict[str, Any]:
    """Give the results with all rounds, for programs."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "workloads": {
            workload: {
                name: {
                    "title": CONTESTANTS[name].title,
                    "rate": results.rate(workload, name),
                    "p50_us": results.p50(workload, name),
                    "share": results.share(workload, name) if results.limit is not None else None,
                    "floor": CONTESTANTS[name].floors.get(workload),
                    "rounds": [asdict(one) for one in names[name]],
                }
                for name in names
            }
            for workload, names in results.measured.items()
        },
    }
