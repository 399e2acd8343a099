"""What was found about the queues, as text."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.queue_contestants import BY_HAND, MOST_IDLE, MOST_SILENT, MOST_TIMES, ORIGINAL, OURS, Medium
from benchmarks.queue_rounds import MEASURES, QueueResults

__all__ = ["as_text"]

WIDTHS = (20, 12, 26, 34)


def as_text(results: QueueResults, media: Sequence[Medium], *, floors: bool) -> str:
    """Lay out: by hand in numbers, the others in multiples of it; then how the library waits.

    With *floors* what is judged is followed by what it may be at most, and by an exclamation mark if it is
    more.
    """
    lines = []
    for measure, (title, _) in MEASURES.items():
        lines.append(_line(title, BY_HAND, OURS, ORIGINAL))
        lines += [_row(results, measure, medium, floors) for medium in media]
        lines.append("")
    if results.idle:
        lines.append(_line("waiting", "", "processor time", "an item after a silence"))
    lines += [_waiting(results, medium.title, floors) for medium in media if medium.title in results.idle]
    return "\n".join(lines)


def _line(*cells: str) -> str:
    first, *others = (
        f"{cell:<{width}}" if not at else f"{cell:>{width}}"
        for at, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    )
    return "".join((first, *others)).rstrip()


def _row(results: QueueResults, measure: str, medium: Medium, floors: bool) -> str:
    found = results.seconds[measure]
    ours = original = "-"
    if (medium.title, OURS) in found:
        times = results.times(measure, (medium.title, OURS))
        judged = floors and medium.judged and measure == "round_trip"
        ours = f"{times:.2f}" + (_most(times, MOST_TIMES, f"{MOST_TIMES}") if judged else "")
    if (medium.title, ORIGINAL) in found:
        original = f"{results.times(measure, (medium.title, ORIGINAL)):.2f}"
    elif not medium.has_original():
        original = "not installed  -"
    by_hand = f"{results.micros(measure, (medium.title, BY_HAND)):.1f} µs"
    return _line(f"  {medium.title}", by_hand, ours, f"{medium.package} {original}")


def _waiting(results: QueueResults, title: str, floors: bool) -> str:
    idle, silence = results.idle[title], results.silence[title]
    cells = f"{idle:.2%}", f"{silence * 1e3:.2f} ms"
    if floors:
        cells = (
            cells[0] + _most(idle, MOST_IDLE, f"{MOST_IDLE:.1%}"),
            cells[1] + _most(silence, MOST_SILENT, f"{MOST_SILENT * 1e3:.0f} ms"),
        )
    return _line(f"  {title}", "", *cells)


def _most(value: float, most: float, text: str) -> str:
    return f" (at most {text})" + ("!" if value > most else " ")
