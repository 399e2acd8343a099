"""Who takes part, and which share of the limit is the least that each must reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from benchmarks.arena import Arena, Handler
from benchmarks.handlers import Echo

__all__ = ["CONTESTANTS", "LIMIT", "Contestant"]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One row of the table.

    Attributes:
        title: how the table calls it.
        module: its arena; imported only in its own processes.
        handler: the method of Echo that its server serves.
        floors: for each workload that has one, the least share of the limit's rate.
        scale: of the usual number of messages, for one so much slower that it would take up the run.
    """

    title: str
    module: str
    handler: str = "plain"
    floors: Mapping[str, float] = field(default_factory=dict)
    scale: float = 1.0

    def arena(self) -> Arena:
        """Import the module."""
        return cast(Arena, import_module(self.module))

    def new_handler(self) -> Handler:
        """Make the handler of one server."""
        return cast(Handler, getattr(Echo(), self.handler))


def _floors(sequential: float, in_flight: float, throws: float, connections: float) -> dict[str, float]:
    return {"sequential": sequential, "in_flight": in_flight, "throws": throws, "connections": connections}


LIMIT = "limit"

CONTESTANTS: dict[str, Contestant] = {
    LIMIT: Contestant("raw limit", "benchmarks.limit"),
    "pieces": Contestant("raw limit, in pieces", "benchmarks.limit_in_pieces"),
    "session": Contestant("raw limit, in pieces, with session", "benchmarks.session_only"),
    "def": Contestant("communica_like def", "benchmarks.library", floors=_floors(0.80, 0.70, 0.50, 0.70)),
    "async": Contestant(
        "communica_like async def",
        "benchmarks.library",
        handler="never_suspending",
        floors=_floors(0.72, 0.50, 0.45, 0.55),
    ),
    "suspends": Contestant(
        "communica_like async def, suspends", "benchmarks.library", handler="suspending", scale=0.2
    ),
}
