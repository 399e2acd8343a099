"""How long a client waits between attempts to connect."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter.

    Attributes:
        initial: seconds before the second attempt; the first comes at once.
        maximum: seconds that a wait never exceeds.
        factor: how much longer each wait is than the one before.
        jitter: the share of a wait that is random, 0.0 to 1.0, so that many clients do not come at once.
    """

    initial: float = 0.05
    maximum: float = 5.0
    factor: float = 2.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.initial <= self.maximum:
            raise ValueError(f"0 < initial <= maximum is needed, not {self.initial} and {self.maximum}")
        if self.factor < 1 or not 0 <= self.jitter <= 1:
            raise ValueError(f"factor >= 1 and 0 <= jitter <= 1 are needed, not {self.factor}, {self.jitter}")

    def delays(self) -> Iterator[float]:
        """Return the waits, one after another, without end."""
        delay = self.initial
        while True:
            yield delay * (1 - self.jitter * random.random())
            delay = min(delay * self.factor, self.maximum)
