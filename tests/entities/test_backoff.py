from __future__ import annotations

import itertools
from typing import Any

import pytest

from communica_like import Backoff


def first(backoff: Backoff, number: int) -> list[float]:
    return list(itertools.islice(backoff.delays(), number))


def test_waits_grow_up_to_the_maximum() -> None:
    assert first(Backoff(1.0, 5.0, 2.0, jitter=0), 5) == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_jitter_only_shortens() -> None:
    waits = first(Backoff(1.0, 1.0, jitter=0.5), 200)
    assert all(0.5 <= wait <= 1.0 for wait in waits)
    assert len(set(waits)) > 100


@pytest.mark.parametrize(
    "wrong",
    [{"initial": 0}, {"initial": 2, "maximum": 1}, {"factor": 0.5}, {"jitter": 1.1}, {"jitter": -0.1}],
)
def test_impossible_values(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needed"):
        Backoff(**wrong)
